//! When permits can be granted: what requests are told that are queued, or rejected.

use std::time::Duration;

use tokio::time::Instant;

use super::fair_queue::ClientKey;
use super::handle::Priority;
use super::permits::{NextPermit, State};

impl State {
    /// A time before which a lane's next but `ahead` permits can't be granted.
    pub(super) fn not_before(&mut self, lane: usize, ahead: usize, now: Instant) -> Instant {
        let rate = self.limits.requests;
        let lane = &mut self.lanes[lane];
        let window = lane.window.not_before(ahead, now, rate);
        lane.not_before.into_iter().chain(self.paused_until).fold(window, Instant::max)
    }

    /// When a request that this client queues now is likely to be served.
    pub(super) fn estimate(&mut self, lane: usize, client: ClientKey, now: Instant) -> Duration {
        let ahead = self.lanes[lane].queue.ahead_of(client);
        let next = match self.next_permit(lane, now) {
            NextPermit::At(time) => time.saturating_duration_since(now),
            NextPermit::Now | NextPermit::OnRelease => Duration::ZERO,
        };
        let interval = self.lanes[lane].dequeue_rate.interval();
        let queue = interval.saturating_mul(u32::try_from(ahead + 1).unwrap_or(u32::MAX));
        let earliest = self.not_before(lane, ahead, now).saturating_duration_since(now);
        next.saturating_add(queue).max(earliest).clamp(MIN_RETRY_AFTER, MAX_RETRY_AFTER)
    }

    /// Whether requests of a lane wait because of the rate, and of nothing else.
    pub(super) fn waits_for_rate(&mut self, lane: usize, now: Instant) -> bool {
        let is_paused = self.paused_until.is_some_and(|until| until > now);
        !is_paused && !self.lanes[lane].queue.is_empty() && matches!(self.next_permit(lane, now), NextPermit::At(_))
    }

    /// Whether the permit of a request that is queued now certainly lies beyond its deadline.
    pub(super) fn is_too_late(
        &mut self,
        lane: usize,
        client: ClientKey,
        priority: Priority,
        deadline: Instant,
        now: Instant,
    ) -> bool {
        // Most requests are in time even behind all others.
        let waiting = self.lanes[lane].queue.waiting();
        if self.not_before(lane, waiting, now) <= deadline {
            return false;
        }
        let queue = &self.lanes[lane].queue;
        let ahead = match priority {
            Priority::Retry => queue.waiting_retries(),
            Priority::New | Priority::Requeued => queue.ahead_of(client),
        };
        self.not_before(lane, ahead, now) > deadline
    }
}

const MIN_RETRY_AFTER: Duration = Duration::from_secs(1);

const MAX_RETRY_AFTER: Duration = Duration::from_secs(600);
