//! A memory budget: whoever holds bytes holds a permit for them and releases it with them.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A budget of so many KiB. Clones share it.
#[derive(Debug, Clone)]
pub struct MemoryBudget(Arc<Semaphore>);

impl MemoryBudget {
    pub fn of_kib(kib: usize) -> Self {
        Self(Arc::new(Semaphore::new(kib)))
    }

    /// A permit for that many bytes, in whole KiB, released when it is dropped. `None` when the budget is spent.
    pub fn take(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let kib = u32::try_from(bytes.div_ceil(1024)).ok()?;
        self.0.clone().try_acquire_many_owned(kib).ok()
    }

    /// Shrinks a permit to that many bytes and releases the rest.
    pub fn shrink(part: &mut OwnedSemaphorePermit, bytes: usize) {
        drop(part.split(part.num_permits().saturating_sub(bytes.div_ceil(1024))));
    }
}
