//! The runtime of the admin listener: one thread, which no client of the data path can keep busy.

use std::io;

use tokio::runtime::{Builder, Runtime};

/// A runtime that ends without waiting for its tasks when dropped.
pub struct AdminRuntime(Option<Runtime>);

impl AdminRuntime {
    /// Starts its thread.
    pub fn start() -> io::Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("admin").enable_all().build()?;
        Ok(Self(Some(runtime)))
    }

    /// Polls `start`, whose tasks and sockets belong to this runtime, on the current one.
    pub async fn run_async<T>(&self, start: impl Future<Output = T>) -> T {
        let mut start = std::pin::pin!(start);
        std::future::poll_fn(|context| self.run(|| start.as_mut().poll(context))).await
    }

    /// Calls `start`, whose tasks and sockets belong to this runtime.
    pub fn run<T>(&self, start: impl FnOnce() -> T) -> T {
        let _context = self.0.as_ref().map(|runtime| runtime.enter());
        start()
    }
}

impl Drop for AdminRuntime {
    fn drop(&mut self) {
        // Dropped in another runtime, this one may not block.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
