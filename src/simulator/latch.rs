//! Latches: a test uses one to hold a response back until an event that it waits for has happened.

use tokio_util::sync::CancellationToken;

/// A one-way switch: it starts closed and, once opened, stays open. All clones share one state.
#[derive(Debug, Clone, Default)]
pub struct Latch(CancellationToken);

impl Latch {
    /// A closed latch.
    pub fn closed() -> Self {
        Self::default()
    }

    /// Releases everything that waits for this latch, and everything that will.
    pub fn open(&self) {
        self.0.cancel();
    }

    /// Waits until the latch is open.
    pub(super) fn opened(&self) -> impl Future<Output = ()> + Send + 'static {
        self.0.clone().cancelled_owned()
    }
}
