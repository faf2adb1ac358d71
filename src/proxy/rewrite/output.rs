//! What is handed on: long stretches as they came, short ones joined.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;

use super::Replacement;

/// The pieces on their way out.
#[derive(Debug, Default)]
pub struct Output {
    done: VecDeque<Bytes>,
    /// Of all that is done, in bytes.
    length: usize,
    /// What follows them and may grow.
    joined: Vec<u8>,
    /// How much is likely to be joined, in bytes.
    room: usize,
}

/// Shorter stretches are copied, in bytes: a slice of its own costs the socket more than the copy.
const SHORT: usize = 8 * 1024;

/// What is joined goes on at this size, in bytes.
const ENOUGH: usize = 64 * 1024;

impl Output {
    /// The next piece that is long enough to go on its own.
    pub fn pop(&mut self) -> Option<Bytes> {
        let piece = self.done.pop_front()?;
        self.length -= piece.len();
        Some(piece)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Of all that is in it, in bytes.
    pub fn len(&self) -> usize {
        self.length + self.joined.len()
    }

    /// Whether the pieces that can go on are long enough together.
    pub fn is_enough(&self) -> bool {
        self.length >= ENOUGH
    }

    /// Everything that is left is to go on as it is.
    pub fn flush(&mut self) {
        if !self.joined.is_empty() {
            let joined = Bytes::from(std::mem::take(&mut self.joined));
            self.push(joined);
        }
    }

    /// Hands on a piece.
    pub fn take_in(&mut self, piece: &Bytes) {
        self.expect(piece.len());
        self.pass(piece, 0..piece.len());
    }

    fn push(&mut self, piece: Bytes) {
        self.length += piece.len();
        self.done.push_back(piece);
    }

    /// A piece of so many bytes comes.
    pub(super) fn expect(&mut self, length: usize) {
        self.room = self.room.max(length.min(ENOUGH));
    }

    /// Hands on a stretch of a piece; it is copied only where it is short.
    pub(super) fn pass(&mut self, piece: &Bytes, stretch: Range<usize>) {
        match piece.get(stretch.clone()) {
            Some(bytes) if bytes.len() < SHORT => self.copy(bytes),
            _ => {
                self.flush();
                self.push(piece.slice(stretch));
            }
        }
    }

    /// Hands on bytes that belong to no piece any more.
    pub(super) fn copy(&mut self, bytes: &[u8]) {
        self.make_room(bytes.len());
        self.joined.extend_from_slice(bytes);
    }

    pub(super) fn write(&mut self, replacement: &Replacement) {
        self.make_room(replacement.text.len());
        replacement.enclosure.write(&replacement.text, &replacement.style, &mut self.joined);
    }

    fn make_room(&mut self, length: usize) {
        if self.joined.len() + length > ENOUGH {
            self.flush();
            // There is much of this body.
            self.room = ENOUGH;
        }
        if self.joined.is_empty() {
            self.joined.reserve_exact(self.room);
        }
    }
}
