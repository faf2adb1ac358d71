//! The end of a chunked body, found without parsing its chunks.

/// Keeps hyper from reading past a chunked body. What may be the last chunk is handed over byte by byte, so hyper stops
/// in time.
///
/// Like hyper, it takes nothing but CRLF for the end of a line.
#[derive(Debug, Clone, Copy)]
pub struct ChunkedEnd {
    /// What was handed over last.
    line: Line,
    last_chunk: LastChunkMatch,
}

/// The position in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Start,
    /// After a CR that began the line.
    StartCr,
    Inside,
    InsideCr,
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
        Self { line: Line::Start, last_chunk: LastChunkMatch::None }
    }

    /// How many of these bytes may be handed over at once.
    pub fn hand_over(&mut self, bytes: &[u8], budget: usize) -> usize {
        let bytes = bytes.get(..budget).unwrap_or(bytes);
        let count = self.next_piece(bytes);
        match bytes.get(..count) {
            Some(&[byte]) => self.go_past(byte),
            // Outside the last chunk, only the end of the piece matters.
            Some(&[.., before, last]) => self.line = Line::Inside.after(before).after(last),
            _ => {}
        }
        count
    }

    fn go_past(&mut self, byte: u8) {
        let (before, line) = (self.line, self.line.after(byte));
        self.last_chunk = match (self.last_chunk, byte) {
            (LastChunkMatch::None, b'0') if before == Line::Start => LastChunkMatch::Size,
            (LastChunkMatch::Size, b'0' | b' ' | b'\t' | b'\r') => LastChunkMatch::Size,
            (LastChunkMatch::Size, b';') => LastChunkMatch::Rest,
            (LastChunkMatch::Size, b'\n') if line == Line::Start => LastChunkMatch::Rest,
            (LastChunkMatch::Rest, _) if (before, line) != (Line::StartCr, Line::Start) => LastChunkMatch::Rest,
            _ => LastChunkMatch::None,
        };
        self.line = line;
    }

    fn next_piece(&self, bytes: &[u8]) -> usize {
        let may_be_last_chunk = self.line == Line::Start && bytes.first() == Some(&b'0');
        match self.last_chunk {
            LastChunkMatch::None if !may_be_last_chunk => {
                memchr::memmem::find(bytes, b"\n0").map_or(bytes.len(), |at| at + 1)
            }
            _ => 1,
        }
    }
}

impl Line {
    fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Start, b'\r') => Self::StartCr,
            (Self::StartCr | Self::InsideCr, b'\n') => Self::Start,
            (_, b'\r') => Self::InsideCr,
            _ => Self::Inside,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is handed over at once, piece by piece.
    fn pieces(mut body: &str) -> Vec<&str> {
        let (mut end, mut pieces) = (ChunkedEnd::begin(), Vec::new());
        while !body.is_empty() {
            let (piece, rest) = body.split_at(end.hand_over(body.as_bytes(), 64));
            pieces.push(piece);
            body = rest;
        }
        pieces
    }

    #[test]
    fn what_may_be_the_last_chunk_is_handed_over_byte_by_byte() {
        assert_eq!(pieces("5\r\nhello\r\n0\r\n\r\nGET"), ["5\r\nhello\r\n", "0", "\r", "\n", "\r", "\n", "GET"]);
        assert_eq!(pieces("1\r\n\n0x"), ["1\r\n\n", "0x"], "what begins after LF alone is no chunk");
    }

    #[test]
    fn only_an_empty_line_with_crlf_ends_trailers() {
        for trailers in ["A: b\n\nC: d\r\n", "A: b\r\n\nC: d\r\n", "\n\r\n", "A: b\r\n\r\r\n"] {
            let body = format!("0\r\n{trailers}\r\nGET");
            let pieces = pieces(&body);
            assert_eq!((pieces.len(), pieces.last()), (body.len() - 2, Some(&"GET")), "{trailers:?}");
        }
    }
}
