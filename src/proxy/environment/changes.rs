//! Writes in flight in an environment. A response is stored and reused only as long as nothing it shows has changed.
//!
//! Beginnings and ends of writes are counted. What a read found stays valid while the count stands still. A write
//! counts three times. It does so before it is sent, before any of its response is forwarded, and when the response has
//! ended. Until then a batch may still be executing.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use foldhash::HashMap;
use tokio::time::Instant;

use crate::business_central::CompanyId;
use crate::proxy::upstream::HeldUntilEnd;

/// Whose data a request may change in its environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extent {
    /// None: it only reads.
    Nothing,
    /// The data of these companies, and data that belongs to none.
    Companies(BTreeSet<CompanyId>),
    /// The company is not known.
    Anything,
}

/// The writes in one environment, by all routes that lead there.
#[derive(Debug, Default)]
pub struct Changes {
    tallies: Mutex<Tallies>,
    /// Whether any route to the environment has a cache.
    is_tracked: AtomicBool,
}

#[derive(Debug, Default)]
struct Tallies {
    /// Writes that may be in any company.
    anything: Tally,
    /// All writes.
    all: Tally,
    /// Writes known to be in this company. At most as many entries as the environment has companies.
    companies: HashMap<CompanyId, Tally>,
}

#[derive(Debug, Default)]
struct Tally {
    count: u64,
    in_flight: usize,
    responding: usize,
    /// Until when a write without a known outcome may still be executing.
    uncertain_until: Option<Instant>,
}

/// A write in flight. Dropping it ends it.
#[derive(Debug)]
pub struct Change {
    changes: Arc<Changes>,
    extent: Extent,
    is_answered: bool,
    is_known: bool,
}

/// The state of a company's writes at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeState {
    count: u64,
    pub stage: Stage,
}

/// What is going on; the later variant hides the earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Quiet,
    /// A write is in flight, or its outcome will never be known.
    InFlight,
    /// A response to a write is being forwarded: its client may read before it has all of it.
    Responding,
}

impl Extent {
    /// The scope of a write in this company; `None` where it is not known.
    pub fn of(company: Option<CompanyId>) -> Self {
        company.map_or(Self::Anything, |company| Self::Companies(BTreeSet::from([company])))
    }

    /// The union of both.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nothing, one) | (one, Self::Nothing) => one,
            (Self::Companies(one), Self::Companies(other)) => Self::Companies(one.union(&other).copied().collect()),
            (Self::Anything, _) | (_, Self::Anything) => Self::Anything,
        }
    }
}

impl Changes {
    /// Sets whether any route to the environment has a cache.
    pub fn set_tracked(&self, is_tracked: bool) {
        self.is_tracked.store(is_tracked, Ordering::Relaxed);
    }

    pub fn is_tracked(&self) -> bool {
        self.is_tracked.load(Ordering::Relaxed)
    }

    /// Begins a write, before it is sent.
    pub fn begin(self: &Arc<Self>, extent: Extent) -> Change {
        self.count(&extent, |tally| tally.in_flight += 1);
        Change { changes: self.clone(), extent, is_answered: false, is_known: false }
    }

    /// The state for a read in this company; `None`: a read in any company, or in none.
    pub fn moment(&self, company: Option<CompanyId>) -> ChangeState {
        let (tallies, now) = (self.lock(), Instant::now());
        match company {
            None => tallies.all.moment(now),
            Some(company) => {
                let anything = tallies.anything.moment(now);
                let own = tallies.companies.get(&company).map(|tally| tally.moment(now));
                own.map_or(anything, |own| ChangeState {
                    // Neither ever decreases, so the sum stands still as long as both do.
                    count: own.count + anything.count,
                    stage: own.stage.max(anything.stage),
                })
            }
        }
    }

    fn count(&self, extent: &Extent, note: impl Fn(&mut Tally)) {
        let note = |tally: &mut Tally| {
            tally.count += 1;
            note(tally);
        };
        let mut tallies = self.lock();
        match extent {
            Extent::Nothing => return,
            Extent::Anything => note(&mut tallies.anything),
            Extent::Companies(companies) => {
                companies.iter().for_each(|company| note(tallies.companies.entry(*company).or_default()));
            }
        }
        note(&mut tallies.all);
    }

    fn lock(&self) -> MutexGuard<'_, Tallies> {
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tally {
    fn moment(&self, now: Instant) -> ChangeState {
        let is_uncertain = self.uncertain_until.is_some_and(|until| until > now);
        let stage = match self {
            Self { responding: 1.., .. } => Stage::Responding,
            Self { in_flight: 1.., .. } => Stage::InFlight,
            _ if is_uncertain => Stage::InFlight,
            _ => Stage::Quiet,
        };
        ChangeState { count: self.count, stage }
    }
}

impl Change {
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
    }
}

/// Business Central works this long on a request whose client has given up (BC, "Operational limits").
const MAX_EXECUTION: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn company(number: u128) -> CompanyId {
        Uuid::from_u128(number).to_string().parse().unwrap()
    }

    fn extent(number: u128) -> Extent {
        Extent::of(Some(company(number)))
    }

    #[tokio::test]
    async fn a_change_concerns_its_company_and_what_may_be_in_any() {
        let changes = Arc::new(Changes::default());
        let before = [None, Some(company(1)), Some(company(2))].map(|it| changes.moment(it));
        let change = changes.begin(extent(1));
        let now = [None, Some(company(1)), Some(company(2))].map(|it| changes.moment(it));
        assert_eq!(now.map(|moment| moment.stage), [Stage::InFlight, Stage::InFlight, Stage::Quiet]);
        assert_eq!([0, 1, 2].map(|it: usize| now[it] == before[it]), [false, false, true]);
        drop(change);
        drop(changes.begin(Extent::of(None)));
        assert_ne!(changes.moment(Some(company(2))), before[2]);
    }

    #[tokio::test]
    async fn each_step_of_a_change_turns_the_count() {
        let changes = Arc::new(Changes::default());
        let moment = || changes.moment(Some(company(1)));
        let mut change = changes.begin(extent(1));
        let begun = moment();
        change.answered();
        change.answered();
        let answered = moment();
        assert_eq!((begun.stage, answered.stage), (Stage::InFlight, Stage::Responding));
        change.known();
        drop(change);
        let over = moment();
        assert_eq!(over.stage, Stage::Quiet);
        assert!(begun.count < answered.count && answered.count < over.count);
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_heard_of_may_still_be_carried_out() {
        let changes = Arc::new(Changes::default());
        drop(changes.begin(extent(1)));
        let mut change = changes.begin(extent(1));
        change.known();
        drop(change);
        let stage = || changes.moment(Some(company(1))).stage;
        assert_eq!(stage(), Stage::InFlight);
        tokio::time::advance(MAX_EXECUTION).await;
        assert_eq!(stage(), Stage::Quiet);
    }

    #[test]
    fn extents_are_joined() {
        let both = extent(1).and(Extent::Nothing).and(extent(2));
        assert_eq!(both, Extent::Companies(BTreeSet::from([company(1), company(2)])));
        assert_eq!(both.and(Extent::Anything), Extent::Anything);
        assert_eq!(Extent::Nothing.and(Extent::Anything), Extent::Anything);
        assert_eq!(Extent::Nothing.and(Extent::Nothing), Extent::Nothing);
    }
}
