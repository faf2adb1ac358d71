//! The unbound actions of an environment, read from its metadata when the first request might call one.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::proxy::rejection::Rejection;

/// The names of an environment's unbound actions.
#[derive(Debug, Default)]
pub struct UnboundActions {
    /// The names, and when they were looked up.
    known: ArcSwapOption<(HashSet<String>, Instant)>,
    /// Held during a look-up: one look-up serves all requests that wait.
    look_up: Mutex<()>,
}

impl UnboundActions {
    /// Whether there is an action of this name. `look_up` reads the names when they are not known; it is awaited by one
    /// request at a time.
    pub async fn has(
        &self,
        name: &str,
        look_up: impl Future<Output = Result<HashSet<String>, Rejection>>,
    ) -> Result<bool, Rejection> {
        if let Some(known) = self.known(name) {
            return Ok(known);
        }
        let _looking_up = self.look_up.lock().await;
        if let Some(known) = self.known(name) {
            return Ok(known);
        }
        let names = look_up.await?;
        let has = names.contains(name);
        self.known.store(Some(Arc::new((names, Instant::now()))));
        Ok(has)
    }

    /// `None` when a look-up is needed. A codeunit may be published at any time: only a name that exists is trusted for
    /// long.
    fn known(&self, name: &str) -> Option<bool> {
        let known = self.known.load();
        let (names, looked_up_at) = &**known.as_ref()?;
        let has = names.contains(name);
        (looked_up_at.elapsed() < if has { KNOWN_TTL } else { UNKNOWN_TTL }).then_some(has)
    }
}

const KNOWN_TTL: Duration = Duration::from_secs(3600);

const UNKNOWN_TTL: Duration = Duration::from_secs(60);
