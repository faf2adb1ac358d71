//! The end of a chunked body, found without parsing its chunks.

/// Keeps hyper from reading past a chunked body. What may be the last chunk is handed over byte by byte, so hyper stops
/// in time.
#[derive(Debug, Clone, Copy)]
pub struct ChunkedEnd {
    /// The last byte handed over ended a line.
    at_line_start: bool,
    last_chunk: LastChunkMatch,
}

/// How much of what was handed over may have been the last chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LastChunkMatch {
    None,
    /// The beginning of its size, nothing but zeros.
    Size,
    /// All of its size: an extension and trailers may follow, up to an empty line.
    Rest,
}

impl ChunkedEnd {
    /// The state at the beginning of a body.
    pub fn begin() -> Self {
        Self { at_line_start: true, last_chunk: LastChunkMatch::None }
    }

    /// How many of these bytes may be handed over at once.
    pub fn hand_over(&mut self, bytes: &[u8], budget: usize) -> usize {
        let bytes = bytes.get(..budget).unwrap_or(bytes);
        let count = self.next_piece(bytes);
        if let Some((&last, before)) = bytes.get(..count).and_then(<[u8]>::split_last) {
            let ends_empty_line = last == b'\n' && self.at_line_start && before.is_empty();
            self.last_chunk = match (self.last_chunk, last) {
                (LastChunkMatch::Size, b'0' | b' ' | b'\t' | b'\r') => LastChunkMatch::Size,
                (LastChunkMatch::Size, b';' | b'\n') => LastChunkMatch::Rest,
                (LastChunkMatch::Rest, _) if !ends_empty_line => LastChunkMatch::Rest,
                _ => LastChunkMatch::None,
            };
            self.at_line_start = match last {
                b'\n' => true,
                b'\r' if self.last_chunk != LastChunkMatch::None => self.at_line_start,
                _ => false,
            };
        }
        count
    }

    fn next_piece(&mut self, bytes: &[u8]) -> usize {
        if self.last_chunk != LastChunkMatch::None {
            return 1;
        }
        if self.at_line_start && bytes.first() == Some(&b'0') {
            self.last_chunk = LastChunkMatch::Size;
            return 1;
        }
        memchr::memmem::find(bytes, b"\n0").map_or(bytes.len(), |at| at + 1)
    }
}
