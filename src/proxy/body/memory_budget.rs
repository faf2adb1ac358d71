//! A bounded room in memory that many share: whoever keeps bytes takes as much of it, and gives it back with them.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Room for so many KiB. Clones are the same room.
#[derive(Debug, Clone)]
pub struct MemoryBudget(Arc<Semaphore>);

impl MemoryBudget {
    pub fn of_kib(kib: usize) -> Self {
        Self(Arc::new(Semaphore::new(kib)))
    }

    /// A part for that many bytes, in whole KiB, free again when it is dropped; `None` when there is not so much left.
    pub fn take(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let kib = u32::try_from(bytes.div_ceil(1024)).ok()?;
        self.0.clone().try_acquire_many_owned(kib).ok()
    }

    /// Keeps room for that many bytes of a part, and gives the rest of it back.
    pub fn shrink(part: &mut OwnedSemaphorePermit, bytes: usize) {
        drop(part.split(part.num_permits().saturating_sub(bytes.div_ceil(1024))));
    }
}
