//! A body on its way to Business Central.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use super::error::BodyError;
use super::spool::SpoolReader;
use crate::proxy::budgets::fair_budget::Held;
use crate::units::millis;

/// A body on its way to Business Central. All of it has arrived.
#[derive(Debug)]
pub enum RequestBody {
    /// In memory.
    Buffered { bytes: Bytes, _held: Option<Arc<Held>> },
    /// On disk.
    Spooled { reader: SpoolReader, progress: Arc<Progress> },
}

impl RequestBody {
    /// A body in memory; `held` is its share of a budget.
    pub fn buffered(bytes: Bytes, held: Option<Arc<Held>>) -> Self {
        Self::Buffered { bytes, _held: held }
    }

    /// A body on disk.
    pub fn spooled(reader: SpoolReader) -> Self {
        Self::Spooled { reader, progress: Arc::default() }
    }

    /// The same body once more, from its beginning.
    pub fn replay(&self) -> Self {
        match self {
            Self::Buffered { bytes, _held } => Self::buffered(bytes.clone(), _held.clone()),
            Self::Spooled { reader, .. } => Self::spooled(reader.again()),
        }
    }

    /// All of it, if it is in memory.
    pub fn bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Buffered { bytes, .. } => Some(bytes),
            Self::Spooled { .. } => None,
        }
    }

    /// How far a body from disk got.
    pub fn progress(&self) -> Option<Arc<Progress>> {
        match self {
            Self::Buffered { .. } => None,
            Self::Spooled { progress, .. } => Some(progress.clone()),
        }
    }
}

impl Default for RequestBody {
    fn default() -> Self {
        Self::buffered(Bytes::new(), None)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Buffered { bytes, .. } => {
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Self::Spooled { reader, progress } => {
                let piece = ready!(reader.poll_piece(context));
                progress.advance();
                Poll::Ready(piece.map(|piece| {
                    piece.map(Frame::data).map_err(|error| {
                        progress.fail();
                        BodyError::Unreadable(error)
                    })
                }))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Buffered { bytes, .. } => bytes.is_empty(),
            Self::Spooled { reader, .. } => reader.left() == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Self::Buffered { bytes, .. } => bytes.len() as u64,
            Self::Spooled { reader, .. } => reader.left(),
        })
    }
}

/// How far a body from disk got.
#[derive(Debug)]
pub struct Progress {
    started: Instant,
    /// Milliseconds after `started` at which the last piece was forwarded.
    last: AtomicU64,
    failed: AtomicBool,
}

impl Default for Progress {
    fn default() -> Self {
        Self { started: Instant::now(), last: AtomicU64::new(0), failed: AtomicBool::new(false) }
    }
}

impl Progress {
    /// When the last piece was forwarded.
    pub fn last(&self) -> Instant {
        self.started + Duration::from_millis(self.last.load(Ordering::Relaxed))
    }

    /// Whether the file could not be read.
    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Notes that a piece was forwarded now.
    pub fn advance(&self) {
        let elapsed = millis(self.started.elapsed());
        self.last.store(elapsed, Ordering::Relaxed);
    }

    /// Notes that the file could not be read.
    pub fn fail(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }
}
