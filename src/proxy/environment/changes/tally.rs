//! Counts of writes.
//!
//! Beginnings and ends of writes are counted. What a read found stays valid while the count stands still. A write
//! counts three times. It does so before it is sent, before any of its response is forwarded, and when the response has
//! ended. Until then a batch may still be executing.

use foldhash::HashMap;
use tokio::time::Instant;

use super::extent::Extent;
use crate::business_central::CompanyId;

/// The writes of this replica in one environment.
#[derive(Debug, Default)]
pub struct Tallies {
    /// Writes that may be in any company.
    anything: Tally,
    /// All writes.
    all: Tally,
    /// Writes known to be in this company. At most as many entries as the environment has companies.
    companies: HashMap<CompanyId, Tally>,
}

#[derive(Debug, Default)]
pub struct Tally {
    count: u64,
    pub in_flight: usize,
    pub responding: usize,
    /// Until when a write without a known outcome may still be executing.
    pub uncertain_until: Option<Instant>,
}

/// The state of a company's writes at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeState {
    pub(super) count: u64,
    /// What stands for the writes of all replicas; 0 without a shared store.
    pub(super) shared: u64,
    pub stage: Stage,
}

/// What is going on; the later variant hides the earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Quiet,
    /// A write is in flight, or its outcome will never be known.
    InFlight,
    /// A response to a write is being forwarded: its client may read before it has all of it. Or another replica
    /// writes.
    Responding,
    /// Other replicas may write unseen.
    Unknown,
}

impl Tallies {
    /// Counts a step of a write, and notes it in each tally that it concerns.
    pub fn count(&mut self, extent: &Extent, note: impl Fn(&mut Tally)) {
        let note = |tally: &mut Tally| {
            tally.count += 1;
            note(tally);
        };
        match extent {
            Extent::Nothing => return,
            Extent::Anything => note(&mut self.anything),
            Extent::Companies(companies) => {
                companies.iter().for_each(|company| note(self.companies.entry(*company).or_default()));
            }
        }
        note(&mut self.all);
    }

    /// The state for a read in this company; `None`: a read in any company, or in none.
    pub fn moment(&self, company: Option<CompanyId>) -> ChangeState {
        let now = Instant::now();
        match company {
            None => self.all.moment(now),
            Some(company) => {
                let anything = self.anything.moment(now);
                let own = self.companies.get(&company).map(|tally| tally.moment(now));
                own.map_or(anything, |own| ChangeState {
                    // Neither ever decreases, so the sum stands still as long as both do.
                    count: own.count + anything.count,
                    shared: 0,
                    stage: own.stage.max(anything.stage),
                })
            }
        }
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
        ChangeState { count: self.count, shared: 0, stage }
    }
}
