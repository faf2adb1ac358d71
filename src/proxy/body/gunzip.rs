//! A gzip body, decoded while it streams (RFC 1952).

use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use flate2::{Crc, Decompress, FlushDecompress, Status};
use http_body::{Body, Frame, SizeHint};

use super::error::BodyError;

/// A decompressed body in fixed memory: however well it is compressed, at most [`PIECE_BYTES`] are decoded ahead.
#[derive(Debug)]
pub struct Gunzip<B> {
    body: B,
    input: Bytes,
    /// How much of the input is decoded at once. Each time, the decoder copies up to 32 KiB to its window.
    piece_bytes: usize,
    part: Part,
    /// The bytes of a header or trailer so far.
    frame: Vec<u8>,
}

/// What comes next of a member. A body is a series of members, mostly a single one.
#[derive(Debug)]
enum Part {
    Header,
    Deflated(Box<Deflated>),
    Trailer { crc: u32, length: u32 },
}

/// The compressed part of a member, as far as it was decoded.
#[derive(Debug)]
struct Deflated {
    decoder: Decompress,
    crc: Crc,
}

impl<B> Gunzip<B> {
    pub fn new(body: B) -> Self {
        Self { body, input: Bytes::new(), piece_bytes: 0, part: Part::Header, frame: Vec::new() }
    }

    /// Decodes some of the input. An empty piece asks for more input.
    fn decode(&mut self) -> Result<Bytes, BodyError> {
        match &mut self.part {
            Part::Header => {
                let before = self.frame.len();
                // Mostly all of it is in one piece, of which nothing is copied then.
                let mut length = if before == 0 { header_length(&self.input)? } else { None };
                if length.is_none() {
                    self.frame.extend_from_slice(&self.input);
                    length = header_length(&self.frame)?;
                }
                match length {
                    Some(length) => {
                        self.input.advance(length.saturating_sub(before));
                        self.frame.clear();
                        self.part = Part::Deflated(Box::new(Deflated { decoder: spare_decoder(), crc: Crc::new() }));
                    }
                    None if self.frame.len() > MAX_HEADER_BYTES => return Err(BodyError::Undecodable),
                    None => self.input.clear(),
                }
                Ok(Bytes::new())
            }
            Part::Deflated(deflated) => {
                let (piece, is_at_end) = deflated.decode(&mut self.input, self.piece_bytes)?;
                if is_at_end {
                    let (crc, length) = (deflated.crc.sum(), deflated.crc.amount());
                    if let Part::Deflated(ended) = std::mem::replace(&mut self.part, Part::Trailer { crc, length }) {
                        spare(ended.decoder);
                    }
                }
                Ok(piece)
            }
            Part::Trailer { crc, length } => {
                let expected = [crc.to_le_bytes(), length.to_le_bytes()].concat();
                let missing = expected.len().saturating_sub(self.frame.len()).min(self.input.len());
                self.frame.extend_from_slice(&self.input.split_to(missing));
                if self.frame.len() == expected.len() {
                    if self.frame != expected {
                        return Err(BodyError::Undecodable);
                    }
                    self.frame.clear();
                    self.part = Part::Header;
                }
                Ok(Bytes::new())
            }
        }
    }

    /// Whether no member is incomplete.
    fn may_end(&self) -> bool {
        matches!(self.part, Part::Header) && self.frame.is_empty()
    }
}

impl Deflated {
    /// Decodes some of the input, to at most so many bytes. Whether that was its end.
    fn decode(&mut self, input: &mut Bytes, piece_bytes: usize) -> Result<(Bytes, bool), BodyError> {
        let mut piece = Vec::with_capacity(piece_bytes);
        let before = self.decoder.total_in();
        let status = self.decoder.decompress_vec(input, &mut piece, FlushDecompress::None);
        let taken = usize::try_from(self.decoder.total_in() - before).unwrap_or(usize::MAX).min(input.len());
        input.advance(taken);
        self.crc.update(&piece);
        match status {
            Ok(Status::StreamEnd) => Ok((piece.into(), true)),
            Ok(Status::Ok | Status::BufError) if taken > 0 || !piece.is_empty() => Ok((piece.into(), false)),
            _ => Err(BodyError::Undecodable),
        }
    }
}

/// The length of the header that a member begins with; `None` while some of it is missing (RFC 1952, section 2.3).
fn header_length(member: &[u8]) -> Result<Option<usize>, BodyError> {
    let is_gzip = member.iter().zip(MAGIC_AND_METHOD).all(|(byte, expected)| *byte == expected);
    let flags = member.get(3).copied().unwrap_or_default();
    if !is_gzip || flags & RESERVED != 0 {
        return Err(BodyError::Undecodable);
    }
    let mut length = 10;
    let mut is_whole = true;
    if flags & EXTRA != 0 {
        let extra = member.get(length..).and_then(<[u8]>::first_chunk);
        is_whole &= extra.is_some();
        length += 2 + extra.map_or(0, |extra| usize::from(u16::from_le_bytes(*extra)));
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            let end = member.get(length..).and_then(|text| memchr::memchr(0, text));
            is_whole &= end.is_some();
            length += end.unwrap_or_default() + 1;
        }
    }
    if flags & HEADER_CRC != 0 {
        length += 2;
    }
    Ok((is_whole && length <= member.len()).then_some(length))
}

/// A decoder for a new member. To make one takes as long as to decode a small response, since its window is zeroed.
fn spare_decoder() -> Decompress {
    SPARE.with_borrow_mut(Vec::pop).unwrap_or_else(|| Decompress::new(false))
}

/// Keeps a decoder for later.
fn spare(mut decoder: Decompress) {
    SPARE.with_borrow_mut(|spare| {
        if spare.len() < MAX_SPARE {
            decoder.reset(false);
            spare.push(decoder);
        }
    });
}

thread_local! {
    /// Decoders that are not in use, with 100 KiB each.
    static SPARE: RefCell<Vec<Decompress>> = const { RefCell::new(Vec::new()) };
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
                        // Text shrinks to about a fifth. What does not fit comes with the next piece.
                        self.piece_bytes = (data.len() * 5).clamp(1024, PIECE_BYTES);
                        self.input = data;
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None if self.may_end() => return Poll::Ready(None),
                None => return Poll::Ready(Some(Err(BodyError::Undecodable))),
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::new()
    }
}

/// The mark of gzip, and of the method deflate.
const MAGIC_AND_METHOD: [u8; 3] = [0x1f, 0x8b, 8];

// The flags of a header: what follows its first ten bytes, in this order.
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;
const HEADER_CRC: u8 = 2;
const RESERVED: u8 = 0xe0;

/// Servers write ten bytes; a file's name may follow.
const MAX_HEADER_BYTES: usize = 4 * 1024;

/// Decoders that a thread keeps.
const MAX_SPARE: usize = 8;

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
    async fn all_that_a_header_may_hold_is_skipped() {
        let text = b"some text".repeat(20);
        let builder = flate2::GzBuilder::new().filename("a name").comment("a comment").extra([7; 300]);
        let mut encoder = builder.write(Vec::new(), flate2::Compression::default());
        encoder.write_all(&text).unwrap();
        let mut coded = encoder.finish().unwrap();
        // A checksum of the header, which is not checked.
        coded[3] |= HEADER_CRC;
        let length = 10 + 2 + 300 + "a name\0a comment\0".len();
        coded.splice(length..length, [1, 2]);
        for cut in [1, 11, 400, coded.len()] {
            assert_eq!(decoded(&coded, cut).await.unwrap(), text);
        }
    }

    #[tokio::test]
    async fn a_wrong_checksum_length_or_header_is_an_error() {
        let coded = gzip(b"some text");
        for (at, change) in [(1, 1), (2, 1), (3, 0x80), (coded.len() - 8, 1), (coded.len() - 1, 1)] {
            let mut wrong = coded.clone();
            wrong[at] ^= change;
            assert!(matches!(decoded(&wrong, 5).await, Err(BodyError::Undecodable)), "{at}");
        }
        let endless = [&[0x1f, 0x8b, 8, NAME, 0, 0, 0, 0, 0, 0][..], &[b'x'; 2 * MAX_HEADER_BYTES]].concat();
        assert!(matches!(decoded(&endless, 100).await, Err(BodyError::Undecodable)));
        let followed = [coded, b"something else".to_vec()].concat();
        assert!(matches!(decoded(&followed, 100).await, Err(BodyError::Undecodable)));
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
