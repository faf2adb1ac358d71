//! Bodies of the upstream's responses, sent in pieces as a web server sends them.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// A text, once or over and over.
pub struct CannedBody {
    text: Bytes,
    at: usize,
    left: u64,
    /// Whether it says its length; otherwise it is chunked.
    sized: bool,
}

impl CannedBody {
    pub fn whole(text: &Bytes) -> Self {
        Self { text: text.clone(), at: 0, left: text.len() as u64, sized: true }
    }

    /// The text over and over, until so many bytes are sent.
    pub fn repeated(text: &Bytes, bytes: u64) -> Self {
        Self { left: bytes, ..Self::whole(text) }
    }

    /// The same without a length.
    pub fn chunked(self) -> Self {
        Self { sized: false, ..self }
    }
}

impl Body for CannedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        let piece = self.text.slice(self.at..self.text.len().min(self.at + PIECE_BYTES.min(left)));
        self.left -= piece.len() as u64;
        self.at = (self.at + piece.len()) % self.text.len();
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        if self.sized { SizeHint::with_exact(self.left) } else { SizeHint::new() }
    }
}

/// What a web server hands out at a time.
const PIECE_BYTES: usize = 8 * 1024;
