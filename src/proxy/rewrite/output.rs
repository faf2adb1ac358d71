//! What is handed on: long stretches as they came, short ones joined.

use bytes::{Bytes, BytesMut};

use super::Replacement;

/// The way out for one piece. What is joined is handed on when it is dropped.
pub struct Output<'o> {
    out: &'o mut Vec<Bytes>,
    joined: BytesMut,
}

/// Shorter stretches are copied, in bytes: a slice of its own costs the socket more than the copy.
const SHORT: usize = 4 * 1024;

/// What is joined goes on at this size, in bytes.
const ENOUGH: usize = 64 * 1024;

impl<'o> Output<'o> {
    pub fn new(out: &'o mut Vec<Bytes>) -> Self {
        Self { out, joined: BytesMut::new() }
    }

    /// Hands on a stretch of the piece. It is copied only where it follows a replacement closely.
    pub fn pass(&mut self, stretch: Bytes) {
        if !self.joined.is_empty() && stretch.len() < SHORT {
            self.copy(&stretch);
        } else if !stretch.is_empty() {
            self.flush();
            self.out.push(stretch);
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
        self.joined.reserve(SHORT);
    }

    fn flush(&mut self) {
        if !self.joined.is_empty() {
            self.out.push(self.joined.split().freeze());
        }
    }
}

impl Drop for Output<'_> {
    fn drop(&mut self) {
        self.flush();
    }
}
