//! Ctrl-C during the set-up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

/// The Ctrl-C handler. It ends the process immediately, except while a temporary file holds the secret.
#[derive(Clone, Default)]
pub struct Interrupt {
    is_deferred: Arc<AtomicBool>,
    requested: CancellationToken,
}

impl Interrupt {
    /// Installs the handler.
    pub fn listen(runtime: &Runtime) -> Self {
        let interrupt = Self::default();
        let handler = interrupt.clone();
        runtime.spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                handler.requested.cancel();
                if !handler.is_deferred.load(Ordering::Acquire) {
                    exit();
                }
            }
        });
        interrupt
    }

    /// Until [`Self::resume`], Ctrl-C only completes [`Self::requested`].
    pub fn defer(&self) {
        self.is_deferred.store(true, Ordering::Release);
    }

    /// Lets Ctrl-C end the process again, and ends it if Ctrl-C was pressed meanwhile.
    pub fn resume(&self) {
        self.is_deferred.store(false, Ordering::Release);
        if self.requested.is_cancelled() {
            exit();
        }
    }

    /// Waits for Ctrl-C.
    pub async fn requested(&self) {
        self.requested.cancelled().await;
    }
}

/// Ends the process after Ctrl-C, with exit code 1.
pub fn exit() -> ! {
    eprintln!("\nStopped. Nothing was written.");
    std::process::exit(1)
}
