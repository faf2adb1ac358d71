//! What is being changed in an environment. An answer is kept and given again only for as long as nothing it could tell of has changed.
//!
//! Counted are beginnings and ends: what a read found when it began holds as long as the count stands still. A change counts at its
//! beginning, before it is sent; when its answer has come, before anything of that is handed on; and when that answer has ended, since a
//! batch may be at work until then.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::business_central::CompanyId;
use crate::proxy::dispatch::upstream::HeldUntilEnd;

/// How far a request's changes can reach in its environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extent {
    /// It only reads.
    Nothing,
    /// The data of these companies, and what belongs to none.
    Companies(BTreeSet<CompanyId>),
    /// In which company is not known.
    Anything,
}

/// The changes in one environment, by all routes that lead there.
#[derive(Debug, Default)]
pub struct Changes {
    tallies: Mutex<Tallies>,
    /// Whether any route to the environment keeps answers.
    matter: AtomicBool,
}

#[derive(Debug, Default)]
struct Tallies {
    /// Of changes that can be in any company.
    anything: Tally,
    /// Of all.
    all: Tally,
    /// Of those that are known to be in this one. At most as many as the environment has.
    companies: HashMap<CompanyId, Tally>,
}

#[derive(Debug, Default)]
struct Tally {
    turns: u64,
    under_way: usize,
    settling: usize,
    /// Until when something may still be carried out of which nothing was heard.
    doubtful_until: Option<Instant>,
}

/// A change that was begun. It is over when this is dropped.
#[derive(Debug)]
pub struct Change {
    changes: Arc<Changes>,
    extent: Extent,
    is_answered: bool,
    is_known: bool,
}

/// How things stand when it is looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    turns: u64,
    pub stage: Stage,
}

/// What goes on; the later one hides the earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Quiet,
    /// Something is being changed and nobody has heard the outcome, or nobody ever will.
    UnderWay,
    /// Somebody hears of an outcome just now, and may ask for it before all of it is told.
    Settling,
}

impl Extent {
    /// That of a change in this company; `None` where it is not known.
    pub fn of(company: Option<CompanyId>) -> Self {
        company.map_or(Self::Anything, |company| Self::Companies(BTreeSet::from([company])))
    }

    /// That of both.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nothing, one) | (one, Self::Nothing) => one,
            (Self::Companies(one), Self::Companies(other)) => Self::Companies(one.union(&other).copied().collect()),
            (Self::Anything, _) | (_, Self::Anything) => Self::Anything,
        }
    }
}

impl Changes {
    /// Says whether any route to the environment keeps answers.
    pub fn matter_now(&self, matter: bool) {
        self.matter.store(matter, Ordering::Relaxed);
    }

    pub fn matter(&self) -> bool {
        self.matter.load(Ordering::Relaxed)
    }

    /// Begins a change; it has not been sent yet.
    pub fn begin(self: &Arc<Self>, extent: Extent) -> Change {
        self.count(&extent, |tally| tally.under_way += 1);
        Change { changes: self.clone(), extent, is_answered: false, is_known: false }
    }

    /// How things stand for a read in this company; `None`: in any, or in none.
    pub fn moment(&self, company: Option<CompanyId>) -> Moment {
        let (tallies, now) = (self.lock(), Instant::now());
        match company {
            None => tallies.all.moment(now),
            Some(company) => {
                let anything = tallies.anything.moment(now);
                let own = tallies.companies.get(&company).map(|tally| tally.moment(now));
                own.map_or(anything, |own| Moment {
                    // Neither ever goes back, so the sum stands still as long as both do.
                    turns: own.turns + anything.turns,
                    stage: own.stage.max(anything.stage),
                })
            }
        }
    }

    fn count(&self, extent: &Extent, note: impl Fn(&mut Tally)) {
        let note = |tally: &mut Tally| {
            tally.turns += 1;
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
    fn moment(&self, now: Instant) -> Moment {
        let is_doubtful = self.doubtful_until.is_some_and(|until| until > now);
        let stage = match self {
            Self { settling: 1.., .. } => Stage::Settling,
            Self { under_way: 1.., .. } => Stage::UnderWay,
            _ if is_doubtful => Stage::UnderWay,
            _ => Stage::Quiet,
        };
        Moment { turns: self.turns, stage }
    }
}

impl Change {
    /// The answer's head has come, and nothing of it was handed on.
    pub fn answered(&mut self) {
        if !std::mem::replace(&mut self.is_answered, true) {
            self.changes.count(&self.extent, |tally| {
                tally.under_way -= 1;
                tally.settling += 1;
            });
        }
    }

    /// It was carried out or it was not; nothing more comes of it. Without this it may go on when it is over for us.
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
        let doubt = (!self.is_known).then(|| Instant::now() + LONGEST_WORK);
        self.changes.count(&self.extent, |tally| {
            match self.is_answered {
                true => tally.settling -= 1,
                false => tally.under_way -= 1,
            }
            tally.doubtful_until = tally.doubtful_until.max(doubt);
        });
    }
}

/// For so long Business Central works on a request whose client has given up (BC, "Operational limits").
const LONGEST_WORK: Duration = Duration::from_secs(600);

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
        assert_eq!(now.map(|moment| moment.stage), [Stage::UnderWay, Stage::UnderWay, Stage::Quiet]);
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
        assert_eq!((begun.stage, answered.stage), (Stage::UnderWay, Stage::Settling));
        change.known();
        drop(change);
        let over = moment();
        assert_eq!(over.stage, Stage::Quiet);
        assert!(begun.turns < answered.turns && answered.turns < over.turns);
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_heard_of_may_still_be_carried_out() {
        let changes = Arc::new(Changes::default());
        drop(changes.begin(extent(1)));
        let mut change = changes.begin(extent(1));
        change.known();
        drop(change);
        let stage = || changes.moment(Some(company(1))).stage;
        assert_eq!(stage(), Stage::UnderWay);
        tokio::time::advance(LONGEST_WORK).await;
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
