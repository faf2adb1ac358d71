//! Whether clients that read slowly hold what others wait for.

use std::time::Duration;

use tokio::time::Instant;

use super::permits::{NextPermit, Permit};
use crate::proxy::downstream::client::Contended;

impl Contended for Permit {
    /// Whether all permits are held while others wait, and none was granted for [`STALL`].
    fn is_contended(&self) -> bool {
        let Some(limiter) = self.limiter.upgrade() else { return false };
        let now = Instant::now();
        let mut state = limiter.lock();
        let is_stalled = state.waiting() > 0 && now - state.stalled_since >= STALL;
        is_stalled && state.next_permit(self.lane, now) == NextPermit::OnRelease
    }
}

/// Clients give up on a queue that moves more slowly than this.
const STALL: Duration = Duration::from_secs(10);
