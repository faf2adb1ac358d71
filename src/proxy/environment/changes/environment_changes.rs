//! The writes in one environment.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::extent::Extent;
use super::journal::MAX_EXECUTION;
use super::shared_changes::SharedEnvironment;
use super::tally::{ChangeState, Tallies, Tally};
use crate::business_central::CompanyId;
use crate::proxy::upstream::HeldUntilEnd;

/// The writes in one environment, by all routes that lead there.
#[derive(Debug, Default)]
pub struct Changes {
    tallies: Mutex<Tallies>,
    /// Whether any route to the environment has a cache.
    is_tracked: AtomicBool,
    /// The writes of all replicas, if there are others.
    shared: Option<SharedEnvironment>,
}

/// A write in flight. Dropping it ends it.
#[derive(Debug)]
pub struct Change {
    changes: Arc<Changes>,
    extent: Extent,
    is_answered: bool,
    is_known: bool,
    /// Its number among those of all environments, if replicas share them.
    number: Option<u64>,
}

impl Changes {
    /// Changes that replicas share.
    pub fn shared(environment: SharedEnvironment) -> Self {
        Self { tallies: Mutex::default(), is_tracked: AtomicBool::new(false), shared: Some(environment) }
    }

    /// Sets whether any route to the environment has a cache.
    pub fn set_tracked(&self, is_tracked: bool) {
        let was_tracked = self.is_tracked.swap(is_tracked, Ordering::Relaxed);
        if let Some(shared) = self.shared.as_ref().filter(|_| was_tracked != is_tracked) {
            shared.set_tracked(is_tracked);
        }
    }

    pub fn is_tracked(&self) -> bool {
        self.is_tracked.load(Ordering::Relaxed)
    }

    /// Begins a write, before it is sent. Other replicas know it, or do not use their caches, when this completes.
    pub async fn begin(self: &Arc<Self>, extent: Extent) -> Change {
        self.count(&extent, |tally| tally.in_flight += 1);
        let mut change = Change { changes: self.clone(), extent, is_answered: false, is_known: false, number: None };
        if let Some(shared) = &self.shared {
            // Boxed: without a shared store, a request's future has no memory for it.
            Box::pin(change.register(shared)).await;
        }
        change
    }

    /// The state for a read in this company; `None`: a read in any company, or in none.
    pub async fn moment(&self, company: Option<CompanyId>) -> ChangeState {
        let own = self.lock().moment(company);
        match &self.shared {
            None => own,
            Some(shared) => Box::pin(shared.moment(company, own)).await,
        }
    }

    fn count(&self, extent: &Extent, note: impl Fn(&mut Tally)) {
        self.lock().count(extent, note);
    }

    fn lock(&self) -> MutexGuard<'_, Tallies> {
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        self.set_tracked(false);
    }
}

impl Change {
    async fn register(&mut self, shared: &SharedEnvironment) {
        // Nothing is sent yet: if this is canceled, the outcome is known.
        self.is_known = true;
        let number = shared.begin(&self.extent);
        self.number = Some(number);
        shared.permitted(number).await;
        self.is_known = false;
    }

    /// The response's head has arrived, and none of it was forwarded.
    pub fn answered(&mut self) {
        if !std::mem::replace(&mut self.is_answered, true) {
            self.changes.count(&self.extent, |tally| {
                tally.in_flight -= 1;
                tally.responding += 1;
            });
        }
    }

    /// The outcome is known: nothing more will happen. Without this, the write may still be executing when it is
    /// dropped.
    pub fn known(&mut self) {
        self.is_known = true;
    }
}

impl HeldUntilEnd for Change {
    fn completed(&mut self) {
        self.known();
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        let doubt = (!self.is_known).then(|| Instant::now() + MAX_EXECUTION);
        self.changes.count(&self.extent, |tally| {
            match self.is_answered {
                true => tally.responding -= 1,
                false => tally.in_flight -= 1,
            }
            tally.uncertain_until = tally.uncertain_until.max(doubt);
        });
        if let (Some(number), Some(shared)) = (self.number, &self.changes.shared) {
            shared.end(number, self.is_known);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::extent::tests::{company, extent};
    use super::super::tally::Stage;
    use super::*;

    async fn moments(changes: &Changes) -> [ChangeState; 3] {
        [changes.moment(None).await, changes.moment(Some(company(1))).await, changes.moment(Some(company(2))).await]
    }

    #[tokio::test]
    async fn a_change_concerns_its_company_and_what_may_be_in_any() {
        let changes = Arc::new(Changes::default());
        let before = moments(&changes).await;
        let change = changes.begin(extent(1)).await;
        let now = moments(&changes).await;
        assert_eq!(now.map(|moment| moment.stage), [Stage::InFlight, Stage::InFlight, Stage::Quiet]);
        assert_eq!([0, 1, 2].map(|it: usize| now[it] == before[it]), [false, false, true]);
        drop(change);
        drop(changes.begin(Extent::of(None)).await);
        assert_ne!(changes.moment(Some(company(2))).await, before[2]);
    }

    #[tokio::test]
    async fn each_step_of_a_change_turns_the_count() {
        let changes = Arc::new(Changes::default());
        let moment = || changes.moment(Some(company(1)));
        let mut change = changes.begin(extent(1)).await;
        let begun = moment().await;
        change.answered();
        change.answered();
        let answered = moment().await;
        assert_eq!((begun.stage, answered.stage), (Stage::InFlight, Stage::Responding));
        change.known();
        drop(change);
        let over = moment().await;
        assert_eq!(over.stage, Stage::Quiet);
        assert!(begun.count < answered.count && answered.count < over.count);
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_heard_of_may_still_be_carried_out() {
        let changes = Arc::new(Changes::default());
        drop(changes.begin(extent(1)).await);
        let mut change = changes.begin(extent(1)).await;
        change.known();
        drop(change);
        assert_eq!(changes.moment(Some(company(1))).await.stage, Stage::InFlight);
        tokio::time::advance(MAX_EXECUTION).await;
        assert_eq!(changes.moment(Some(company(1))).await.stage, Stage::Quiet);
    }
}
