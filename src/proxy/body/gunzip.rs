//! A gzip body, decoded while it streams (RFC 1952).

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use flate2::{Decompress, FlushDecompress, Status};
use http_body::{Body, Frame, SizeHint};

use super::error::BodyError;

/// A decompressed body in fixed memory: however well it is compressed, at most [`PIECE_BYTES`] are decoded ahead.
#[derive(Debug)]
pub struct Gunzip<B> {
    body: B,
    input: Bytes,
    /// Decodes the current member. `None` between two members, where the body may end. Mostly no other one follows, and
    /// to make a decoder takes as long as to decode a small response.
    inflate: Option<Decompress>,
}

impl<B> Gunzip<B> {
    pub fn new(body: B) -> Self {
        Self { body, input: Bytes::new(), inflate: None }
    }

    /// Decodes some of the input. An empty piece asks for more input.
    fn decode(&mut self) -> Result<Bytes, BodyError> {
        // Text shrinks to about a fifth. What does not fit comes with the next piece.
        let mut piece = Vec::with_capacity((self.input.len() * 5).clamp(1024, PIECE_BYTES));
        let inflate = self.inflate.get_or_insert_with(|| Decompress::new_gzip(WINDOW_BITS));
        let before = inflate.total_in();
        let status = inflate.decompress_vec(&self.input, &mut piece, FlushDecompress::None);
        let taken = usize::try_from(inflate.total_in() - before).unwrap_or(usize::MAX).min(self.input.len());
        self.input.advance(taken);
        match status {
            Ok(Status::StreamEnd) => self.inflate = None,
            Ok(Status::Ok | Status::BufError) if taken > 0 || !piece.is_empty() => {}
            _ => return Err(BodyError::Undecodable),
        }
        Ok(piece.into())
    }
}

impl<B: Body<Data = Bytes, Error = BodyError> + Unpin> Body for Gunzip<B> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            while !self.input.is_empty() {
                match self.decode() {
                    Ok(piece) if piece.is_empty() => {}
                    Ok(piece) => return Poll::Ready(Some(Ok(Frame::data(piece)))),
                    Err(error) => return Poll::Ready(Some(Err(error))),
                }
            }
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.input = data;
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None if self.inflate.is_none() => return Poll::Ready(None),
                None => return Poll::Ready(Some(Err(BodyError::Undecodable))),
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::new()
    }
}

const WINDOW_BITS: u8 = 15;

/// Decoded bytes per piece.
const PIECE_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::io::Write;

    use http_body_util::BodyExt;

    use super::*;

    /// A body of these pieces.
    struct Pieces(VecDeque<Bytes>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = BodyError;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
            Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
        }
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    async fn decoded(coded: &[u8], cut: usize) -> Result<Vec<u8>, BodyError> {
        let pieces = coded.chunks(cut.max(1)).map(Bytes::copy_from_slice).collect();
        Gunzip::new(Pieces(pieces)).collect().await.map(|whole| whole.to_bytes().to_vec())
    }

    #[tokio::test]
    async fn a_body_cut_anywhere_decodes_to_the_same() {
        let text: Vec<u8> = (0..5000_u32).flat_map(u32::to_le_bytes).collect();
        let coded = gzip(&text);
        for cut in [1, 2, 3, 10, 1000, coded.len()] {
            assert_eq!(decoded(&coded, cut).await.unwrap(), text);
        }
        let twice = [gzip(b"one "), gzip(b"two")].concat();
        assert_eq!(decoded(&twice, 7).await.unwrap(), b"one two");
        assert_eq!(decoded(b"", 1).await.unwrap(), b"");
    }

    #[tokio::test]
    async fn what_is_cut_or_no_gzip_is_an_error() {
        let coded = gzip(b"something that is long enough to be cut");
        for end in 1..coded.len() {
            assert!(matches!(decoded(&coded[..end], 4).await, Err(BodyError::Undecodable)), "{end}");
        }
        assert!(matches!(decoded(b"no gzip", 9).await, Err(BodyError::Undecodable)));
    }

    #[tokio::test]
    async fn a_bomb_is_decoded_a_piece_at_a_time() {
        let coded = gzip(&vec![0; 8 << 20]);
        let mut body = Gunzip::new(Pieces(VecDeque::from([Bytes::from(coded)])));
        let mut all = 0;
        while let Some(frame) = body.frame().await {
            let piece = frame.unwrap().into_data().unwrap();
            assert!(piece.len() <= PIECE_BYTES);
            all += piece.len();
        }
        assert_eq!(all, 8 << 20);
    }
}
