//! A search for one text in a body that comes in pieces, and its replacement.

use bytes::Bytes;
use memchr::memmem::Finder;

/// What the pieces so far end with, if that may be the beginning of the text.
#[derive(Default)]
pub struct Replacing(Bytes);

impl Replacing {
    /// The next piece with the text replaced. What may be the beginning of the text comes with the next.
    pub fn replace(&mut self, piece: Bytes, text: &Finder<'_>, with: &str) -> Bytes {
        let piece = if self.0.is_empty() { piece } else { [&self.0[..], &piece].concat().into() };
        let (mut replaced, mut from) = (Vec::new(), 0);
        while let Some(at) = text.find(&piece[from..]) {
            if replaced.is_empty() {
                replaced.reserve(piece.len() + with.len());
            }
            replaced.extend_from_slice(&piece[from..from + at]);
            replaced.extend_from_slice(with.as_bytes());
            from += at + text.needle().len();
        }
        let to = piece.len() - beginning(&piece[from..], text.needle());
        self.0 = piece.slice(to..);
        if from == 0 {
            return piece.slice(..to);
        }
        replaced.extend_from_slice(&piece[from..to]);
        replaced.into()
    }

    /// What is left when the body has ended.
    pub fn rest(self) -> Bytes {
        self.0
    }
}

/// How many bytes at the end may be the beginning of the text.
fn beginning(piece: &[u8], text: &[u8]) -> usize {
    let longest = piece.len().min(text.len() - 1);
    (1..=longest).rev().find(|&length| piece.ends_with(&text[..length])).unwrap_or(0)
}
