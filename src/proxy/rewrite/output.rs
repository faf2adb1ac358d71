//! What is handed on: long stretches as they came, short ones joined.

use std::ops::Range;

use bytes::Bytes;

use super::Replacement;

/// The way out for one piece. What is joined is handed on when it is dropped.
pub struct Output<'o> {
    out: &'o mut Vec<Bytes>,
    joined: Vec<u8>,
    /// How much is likely to be joined, in bytes.
    room: usize,
}

/// Shorter stretches are copied, in bytes: a slice of its own costs the socket more than the copy.
const SHORT: usize = 4 * 1024;

/// What is joined goes on at this size, in bytes.
const ENOUGH: usize = 64 * 1024;

impl<'o> Output<'o> {
    /// The way out for a piece of this length.
    pub fn new(out: &'o mut Vec<Bytes>, length: usize) -> Self {
        Self { out, joined: Vec::new(), room: length.min(ENOUGH) + SHORT }
    }

    /// Hands on a stretch of the piece. It is copied only where it is short and follows a replacement.
    pub fn pass(&mut self, piece: &Bytes, stretch: Range<usize>) {
        if stretch.is_empty() {
            return;
        }
        match piece.get(stretch.clone()) {
            Some(bytes) if bytes.len() < SHORT && !self.joined.is_empty() => self.copy(bytes),
            _ => {
                self.flush();
                self.out.push(piece.slice(stretch));
            }
        }
    }

    /// Hands on bytes that belong to no piece any more.
    pub fn copy(&mut self, bytes: &[u8]) {
        self.make_room();
        self.joined.extend_from_slice(bytes);
    }

    pub fn write(&mut self, replacement: &Replacement) {
        self.make_room();
        replacement.enclosure.write(&replacement.text, &replacement.style, &mut self.joined);
    }

    fn make_room(&mut self) {
        if self.joined.len() >= ENOUGH {
            self.flush();
        }
        if self.joined.is_empty() {
            self.joined.reserve(self.room);
        }
    }

    fn flush(&mut self) {
        if !self.joined.is_empty() {
            self.out.push(Bytes::from(std::mem::take(&mut self.joined)));
        }
    }
}

impl Drop for Output<'_> {
    fn drop(&mut self) {
        self.flush();
    }
}
