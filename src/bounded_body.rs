//! Reads bodies of requests and responses to their end, up to a limit.

use std::pin::pin;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body;

/// Reads a body to its end or until it exceeds the limit, piece by piece. Returns whether it ended within the limit.
pub async fn read_pieces<B>(body: B, limit: usize, mut take: impl FnMut(&[u8])) -> Result<bool, B::Error>
where
    B: Body<Data = Bytes>,
{
    let (mut body, mut left) = (pin!(body), limit);
    while let Some(frame) = body.frame().await.transpose()? {
        let Ok(piece) = frame.into_data() else { continue };
        let Some(rest) = left.checked_sub(piece.len()) else { return Ok(false) };
        left = rest;
        take(&piece);
    }
    Ok(true)
}

/// The same into an empty buffer, which holds what was read even after an error. A UTF-8 byte order mark is skipped:
/// a parser of JSON knows none.
pub async fn read_body<B: Body<Data = Bytes>>(body: B, limit: usize, buffer: &mut Vec<u8>) -> Result<bool, B::Error> {
    let is_whole = read_pieces(body, limit, |piece| buffer.extend_from_slice(piece)).await;
    if buffer.starts_with(BYTE_ORDER_MARK) {
        buffer.drain(..BYTE_ORDER_MARK.len());
    }
    is_whole
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Full;

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit_without_a_byte_order_mark() {
        let read = async |text: &'static str| {
            let mut buffer = Vec::new();
            let is_whole = read_body(Full::new(Bytes::from(text)), 8, &mut buffer).await.unwrap();
            (is_whole, String::from_utf8(buffer).unwrap())
        };
        assert_eq!(read("{\"a\": 1}").await, (true, "{\"a\": 1}".to_owned()));
        assert_eq!(read("\u{feff}{}").await, (true, "{}".to_owned()));
        assert_eq!(read("{\"a\": 10}").await, (false, String::new()));
    }
}
