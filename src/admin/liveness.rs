//! Whether the data path's runtime still runs tasks.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;

/// Whether the data path is alive. Clones share it.
#[derive(Debug, Clone)]
pub struct Liveness(watch::Receiver<Instant>);

impl Liveness {
    /// Watches `data_path` from the current runtime, which must be another one: it runs an empty task there every
    /// second, one at a time.
    pub fn watch(data_path: Handle) -> Self {
        let (latest, liveness) = watch::channel(Instant::now());
        tokio::spawn(async move {
            while data_path.spawn(async {}).await.is_ok() {
                latest.send_replace(Instant::now());
                tokio::time::sleep(INTERVAL).await;
            }
        });
        Self(liveness)
    }

    /// How long the data path has run no task, if that is 10 s or longer.
    pub fn stalled(&self) -> Option<Duration> {
        let since = self.0.borrow().elapsed();
        (since >= MAX_PAUSE).then_some(since)
    }
}

const INTERVAL: Duration = Duration::from_secs(1);

/// Longer than any pause of a busy machine.
const MAX_PAUSE: Duration = Duration::from_secs(10);
