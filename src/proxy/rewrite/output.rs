//! The rewritten body: long ranges uncopied, short ones joined.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;

use super::replacement::Replacement;

/// The rewritten pieces that wait to be forwarded.
#[derive(Debug, Default)]
pub struct Output {
    ready: VecDeque<Bytes>,
    /// The length of all ready pieces, in bytes.
    ready_bytes: usize,
    /// The piece after them, which may grow.
    joined: Vec<u8>,
    /// The expected length of a joined piece, in bytes.
    joined_capacity: usize,
}

/// Shorter ranges are copied, in bytes: sending a separate slice costs more than the copy.
const MIN_SLICE_BYTES: usize = 8 * 1024;

/// The maximum length of a joined piece, in bytes.
const MAX_JOINED_BYTES: usize = 64 * 1024;

impl Output {
    /// Removes and returns the next ready piece.
    pub fn pop(&mut self) -> Option<Bytes> {
        let piece = self.ready.pop_front()?;
        self.ready_bytes -= piece.len();
        Some(piece)
    }

    /// Whether it contains no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The length of all pieces, ready or not, in bytes.
    pub fn len(&self) -> usize {
        self.ready_bytes + self.joined.len()
    }

    /// Whether the ready pieces have 64 KiB or more.
    pub fn is_full(&self) -> bool {
        self.ready_bytes >= MAX_JOINED_BYTES
    }

    /// Makes all pieces ready, regardless of their length.
    pub fn flush(&mut self) {
        if !self.joined.is_empty() {
            let joined = Bytes::from(std::mem::take(&mut self.joined));
            self.push_ready(joined);
        }
    }

    /// Appends a piece unchanged.
    pub fn append(&mut self, piece: &Bytes) {
        self.reserve_for(piece.len());
        self.append_range(piece, 0..piece.len());
    }

    fn push_ready(&mut self, piece: Bytes) {
        self.ready_bytes += piece.len();
        self.ready.push_back(piece);
    }

    /// Announces a piece of this length, in bytes.
    pub(super) fn reserve_for(&mut self, length: usize) {
        self.joined_capacity = self.joined_capacity.max(length.min(MAX_JOINED_BYTES));
    }

    /// Appends a range of a piece. Only short ranges are copied.
    pub(super) fn append_range(&mut self, piece: &Bytes, range: Range<usize>) {
        match piece.get(range.clone()) {
            Some(bytes) if bytes.len() < MIN_SLICE_BYTES => self.append_bytes(bytes),
            _ => {
                self.flush();
                self.push_ready(piece.slice(range));
            }
        }
    }

    /// Appends a copy of these bytes.
    pub(super) fn append_bytes(&mut self, bytes: &[u8]) {
        self.make_space(bytes.len());
        self.joined.extend_from_slice(bytes);
    }

    pub(super) fn append_replacement(&mut self, replacement: &Replacement) {
        self.make_space(replacement.text.len());
        replacement.enclosure.write(&replacement.text, &replacement.style, &mut self.joined);
    }

    fn make_space(&mut self, length: usize) {
        if self.joined.len() + length > MAX_JOINED_BYTES {
            self.flush();
            // The body is large: allocate full pieces from now on.
            self.joined_capacity = MAX_JOINED_BYTES;
        }
        if self.joined.is_empty() {
            self.joined.reserve_exact(self.joined_capacity);
        }
    }
}
