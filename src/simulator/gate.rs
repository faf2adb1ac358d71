//! Gates: how a test holds an answer back until it has seen what it waits for.

use tokio_util::sync::CancellationToken;

/// A gate that starts closed, holds whoever waits at it and, once opened, stays open. Clones are the same gate.
#[derive(Debug, Clone, Default)]
pub struct Gate(CancellationToken);

impl Gate {
    /// A closed gate.
    pub fn closed() -> Self {
        Self::default()
    }

    /// Lets everyone through, now and later.
    pub fn open(&self) {
        self.0.cancel();
    }

    /// Ends when the gate is open.
    pub(super) fn opened(&self) -> impl Future<Output = ()> + Send + 'static {
        self.0.clone().cancelled_owned()
    }
}
