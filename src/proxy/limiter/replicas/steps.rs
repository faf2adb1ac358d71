//! What the coordinator of a limiter does next, and what follows from what the store replies.

use std::time::Duration;

use tokio::time::Instant;

use super::super::lane::Lane;
use super::super::permits::State;
use super::call::{Call, Reply};
use super::ledger::{Queue, Sent};
use super::sharing::Sharing;
use crate::shared_store::{SharedStore, StoreKey};

/// What the coordinator does next.
#[derive(Debug)]
pub enum Step {
    /// It asks the store.
    Call,
    /// Nothing before this time, a wake-up, or a change of the store's health.
    Wait(Instant),
    /// Nothing before the store is back. Until then permits are this replica's to grant, as far as its share allows.
    Alone,
    /// Nothing before a wake-up, or a change of the store's health.
    Idle,
    /// Nothing any more: the limits are off.
    Done,
}

impl State {
    /// What the coordinator does next. Changes to the share, or back, with the store's health.
    pub fn next_step(&mut self, now: Instant) -> Step {
        let waiting: Vec<usize> = self.waiting_lanes().collect();
        let Some(sharing) = &mut self.sharing else { return Step::Done };
        let is_up = sharing.store.is_up();
        if is_up != sharing.is_joined {
            sharing.is_joined = is_up;
            sharing.ledger.register(now);
            self.limits = sharing.limits(sharing.whole);
            self.lanes.iter_mut().for_each(|lane| lane.limits_changed());
        }
        let losses = sharing.store.losses();
        if losses != sharing.losses {
            sharing.losses = losses;
            sharing.ledger.doubt(self.lanes.iter().any(|lane| lane.window.released().count() > 0));
        }
        if sharing.wake_up.take_message() {
            sharing.ledger.poll_now(now);
        }
        match sharing.ledger.due(&waiting, now) {
            None => Step::Idle,
            Some(_) if !sharing.is_joined => Step::Alone,
            Some(due) if due > now => Step::Wait(due),
            Some(_) => Step::Call,
        }
    }

    /// The next call to the store.
    pub fn call(&mut self, now: Instant) -> Option<(SharedStore, StoreKey, Call<'_>, Sent)> {
        let sharing = self.sharing.as_mut()?;
        let Sharing { store, key, ledger, whole, .. } = &mut **sharing;
        let queues = self.lanes.iter().map(|lane| Queue {
            application: lane.application,
            waiting: lane.queue.waiting(),
            ended: lane.window.released(),
        });
        let (call, sent) = ledger.call(store.replica(), &queues.collect::<Vec<_>>(), whole, now);
        Some((store.clone(), key.clone(), call, sent))
    }

    /// The store got the call. The lane that gets the permit, if one was granted.
    pub fn replied(&mut self, sent: &Sent, reply: Reply, now: Instant) -> Option<usize> {
        let sharing = self.sharing.as_mut()?;
        if reply.is_unknown {
            sharing.ledger.lost();
            return None;
        }
        let granted = reply.granted.as_deref().and_then(|application| sharing.ledger.lane(application));
        sharing.ledger.succeeded(sent, &reply.instance, granted, now);
        let waits = reply
            .waits
            .iter()
            .filter_map(|(application, wait)| Some((sharing.ledger.lane(application)?, now + from_millis(*wait))));
        let waits: Vec<(usize, Instant)> = waits.collect();
        let paused = reply.paused.map(|paused| now + from_millis(paused));
        let first = waits.iter().map(|(_, until)| *until).chain(paused).min();
        let is_free = reply.in_flight < sharing.whole.concurrency;
        let has_more = is_free && granted.is_some_and(|granted| !waits.iter().any(|(lane, _)| *lane == granted));
        sharing.note_use(reply, now);
        let wait = match first {
            _ if has_more => Duration::ZERO,
            Some(until) => until.saturating_duration_since(now).min(POLL),
            None => POLL + Duration::from_millis(fastrand::u64(..=POLL_JITTER)),
        };
        sharing.ledger.poll_after(wait, now);
        for (number, lane) in self.lanes.iter_mut().enumerate() {
            lane.not_before = waits.iter().find(|(lane, _)| *lane == number).map(|(_, until)| *until);
        }
        if let Some(until) = paused {
            self.paused_elsewhere(until, now);
        }
        granted
    }

    /// The store got the call, or not; nothing is known.
    pub fn failed(&mut self, sent: &Sent) {
        if let Some(sharing) = &mut self.sharing {
            sharing.ledger.failed(sent);
        }
    }

    /// Business Central asked another replica to pause.
    ///
    /// All queued requests choose an application anew: another one's limiter may be open.
    fn paused_elsewhere(&mut self, until: Instant, now: Instant) {
        if self.paused_until.is_some_and(|known| known + SAME_PAUSE >= until) {
            return;
        }
        self.paused_until = Some(until);
        self.lanes.iter_mut().for_each(Lane::evict);
        self.stalled_since = now;
    }
}

fn from_millis(millis: f64) -> Duration {
    Duration::try_from_secs_f64(millis / 1000.0).unwrap_or_default()
}

/// How often the store is asked for a permit without a message from another replica. A head in `limiter.lua` lasts
/// three times as long.
const POLL: Duration = Duration::from_millis(500);

/// Replicas that began together do not ask together: up to so many milliseconds later.
const POLL_JITTER: u64 = 100;

/// A pause that this replica knows comes back from the store a little longer or shorter.
const SAME_PAUSE: Duration = Duration::from_millis(100);
