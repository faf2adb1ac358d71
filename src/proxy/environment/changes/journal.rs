//! What this replica tells the shared store about its changes, and until when the others rely on that.
//!
//! The replica promises for a few seconds at a time to register each change before it is sent. While it can't, its
//! changes wait until the promise has expired, and then are sent unseen. Until the replica has registered again, with
//! all that is in flight, the others do not use their caches.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use super::message::{Call, ChangesById, EnvironmentId, Presence, Reply, ScopeId, StoreTime};
use crate::units::millis;

/// What this replica knows of its changes in all environments, and of the store.
#[derive(Debug)]
pub struct Journal {
    replica: String,
    /// Changes so far.
    numbers: u64,
    entries: HashMap<u64, Entry>,
    /// Environments whose changes are registered, and how many parts of the configuration need it.
    tracked: BTreeMap<EnvironmentId, usize>,
    contact: Option<Contact>,
    /// The data of the store that this replica registered with last, and the replicas it knew then.
    instance: String,
    others: BTreeMap<String, StoreTime>,
    /// Whether everything has to be registered again.
    is_full_due: bool,
    /// When the promise expires: calls that the store has not carried out by then make none.
    promised_until: Option<Instant>,
}

#[derive(Debug)]
struct Entry {
    environment: EnvironmentId,
    scopes: Vec<ScopeId>,
    stage: EntryStage,
    began_at: Instant,
    /// Whether the store has to know it.
    is_shared: bool,
    /// Whether a call with it was sent.
    is_sent: bool,
    /// When the store was told of its present stage.
    told_at: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EntryStage {
    InFlight,
    /// Its outcome will never be known. It may be executing until then.
    Uncertain(Instant),
    Ended,
}

/// The contact with the store since the latest outage.
#[derive(Debug)]
struct Contact {
    outages: u64,
    /// The store's time, and when this replica had it.
    time: StoreTime,
    at: Instant,
    /// The server process; known when this replica is registered.
    run: Option<String>,
}

/// What a call told, to be noted when it succeeds.
#[derive(Debug)]
pub struct Told {
    stages: Vec<(u64, EntryStage)>,
    outages: u64,
    is_full: bool,
}

/// What follows from a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Done,
    /// Another call is needed at once.
    CallAgain,
}

impl Journal {
    pub fn new(replica: &str) -> Self {
        Self {
            replica: replica.to_owned(),
            numbers: 0,
            entries: HashMap::new(),
            tracked: BTreeMap::new(),
            contact: None,
            instance: String::new(),
            others: BTreeMap::new(),
            is_full_due: true,
            promised_until: None,
        }
    }

    /// Registers the changes in this environment from now on, or one part of the configuration less needs it.
    pub fn set_tracked(&mut self, environment: &EnvironmentId, is_tracked: bool) {
        let count = self.tracked.entry(environment.clone()).or_default();
        *count = if is_tracked { *count + 1 } else { count.saturating_sub(1) };
        if *count == usize::from(is_tracked) {
            self.is_full_due = true;
        }
        self.tracked.retain(|_, count| *count > 0);
    }

    /// Notes a change that begins; its number.
    pub fn begin(&mut self, environment: &EnvironmentId, scopes: Vec<ScopeId>, now: Instant) -> u64 {
        self.numbers += 1;
        let entry = Entry {
            environment: environment.clone(),
            scopes,
            stage: EntryStage::InFlight,
            began_at: now,
            is_shared: self.tracked.contains_key(environment),
            is_sent: false,
            told_at: None,
        };
        self.entries.insert(self.numbers, entry);
        self.numbers
    }

    /// The call that registers a change, unless none is needed.
    pub fn registration(&mut self, number: u64, now: Instant) -> Option<(Call, Told)> {
        let id = self.id(number);
        let entry = self.entries.get_mut(&number).filter(|entry| entry.is_shared && entry.told_at.is_none())?;
        let contact = self.contact.as_ref()?;
        entry.is_sent = true;
        let latest = contact.time_at(now) + millis(REGISTRATION_TIME);
        let begun = ChangesById::from([(id, entry.scopes.clone())]);
        let told = Told { stages: vec![(number, entry.stage)], outages: contact.outages, is_full: false };
        Some((Call { latest: Some(latest), begun, ..Call::default() }, told))
    }

    /// Whether a change may be sent. `Err`: when to ask again at the latest. `is_up`: whether the store can be told.
    pub fn permit(&mut self, number: u64, now: Instant, is_up: bool) -> Result<(), Instant> {
        let untold = self.entries.get(&number).filter(|entry| entry.is_shared && entry.told_at.is_none());
        let Some(entry) = untold else { return Ok(()) };
        // Before the first contact, there is no promise: the others have to know this replica first.
        let contact_until = is_up.then_some(entry.began_at + PROMISE);
        match self.promised_until.max(contact_until).filter(|until| *until > now) {
            Some(until) => Err(until),
            None => {
                self.is_full_due = true;
                Ok(())
            }
        }
    }

    /// Notes that a change is over, or that its outcome will never be known. Whether the store has to be told.
    pub fn end(&mut self, number: u64, is_known: bool, now: Instant) -> bool {
        let Some(entry) = self.entries.get_mut(&number) else { return false };
        // The next registration makes all responses invalid, with those of changes that it does not know.
        if is_known && !entry.is_sent {
            self.entries.remove(&number);
            return false;
        }
        entry.stage = if is_known { EntryStage::Ended } else { EntryStage::Uncertain(now + MAX_EXECUTION) };
        entry.told_at = None;
        entry.is_shared || entry.is_sent
    }

    /// The next call: the promise for some seconds more, with what the store has not been told.
    pub fn call(&mut self, now: Instant, outages: u64) -> (Call, Told) {
        self.entries.retain(|_, entry| !matches!(entry.stage, EntryStage::Uncertain(until) if until <= now));
        let mut told = Told { stages: Vec::new(), outages, is_full: false };
        let presence = Presence {
            replica: self.replica.clone(),
            until: 0,
            instance: String::new(),
            tracked: None,
            others: BTreeMap::new(),
        };
        let Some(contact) = self.contact.as_ref().filter(|contact| contact.outages == outages) else {
            // With no data named, the store does nothing but reply what it has, and its time.
            return (Call { presence: Some(presence), ..Call::default() }, told);
        };
        told.is_full = self.is_full_due || contact.run.is_none();
        let until = contact.time_at(now) + millis(PROMISE);
        let mut call = Call { latest: Some(until), ..Call::default() };
        for (number, entry) in &mut self.entries {
            entry.is_shared |= self.tracked.contains_key(&entry.environment);
            let is_told = entry.told_at.is_some_and(|at| entry.stage != EntryStage::InFlight || now < at + RENEWAL);
            if (entry.is_shared || entry.is_sent) && (!is_told || told.is_full) {
                entry.is_sent = true;
                let list = if entry.stage == EntryStage::Ended { &mut call.ended } else { &mut call.begun };
                list.insert(format!("{}:{number}", self.replica), entry.scopes.clone());
                told.stages.push((*number, entry.stage));
            }
        }
        call.presence = Some(Presence {
            until,
            instance: self.instance.clone(),
            tracked: told.is_full.then(|| self.tracked.keys().cloned().collect()),
            others: if told.is_full { self.others.clone() } else { BTreeMap::new() },
            ..presence
        });
        if told.is_full {
            self.is_full_due = false;
        }
        self.promised_until = Some(now + PROMISE);
        (call, told)
    }

    /// The reply to a call.
    pub fn replied(&mut self, told: Told, reply: Reply, now: Instant) -> Next {
        if reply.is_late {
            // The store's clock is not what it was.
            self.failed(told);
            self.contact = None;
            return Next::CallAgain;
        }
        let is_new = self.contact.as_ref().is_none_or(|contact| contact.outages != told.outages);
        if is_new || reply.is_unknown {
            self.contact = Some(Contact { outages: told.outages, time: reply.time, at: now, run: None });
            self.is_full_due = true;
            return Next::CallAgain;
        }
        self.note(&told, now);
        if let Some(contact) = &mut self.contact {
            (contact.time, contact.at) = (reply.time, now);
            contact.run = Some(reply.run);
        }
        (self.instance, self.others) = (reply.instance, reply.replicas);
        self.others.remove(&self.replica);
        if self.is_full_due { Next::CallAgain } else { Next::Done }
    }

    /// A change was registered by a call of its own.
    pub fn registered(&mut self, told: &Told, reply: &Reply, now: Instant) {
        if !reply.is_late {
            self.note(told, now);
        }
        if reply.is_late || reply.instance != self.instance {
            self.is_full_due = true;
        }
    }

    /// A call got no reply.
    pub fn failed(&mut self, told: Told) {
        self.is_full_due |= told.is_full;
    }

    /// The server process that this replica is registered with, if there was no outage since.
    pub fn run(&self, outages: u64) -> Option<&str> {
        self.contact.as_ref().filter(|contact| contact.outages == outages)?.run.as_deref()
    }

    /// The last call: this replica makes no more changes. `None` if the store does not know all of them.
    pub fn leave(&self, outages: u64) -> Option<Call> {
        self.run(outages)?;
        let mut call = Call { leaving: Some(self.replica.clone()), ..Call::default() };
        for (number, entry) in self.entries.iter().filter(|(_, entry)| entry.told_at.is_none()) {
            if entry.stage != EntryStage::Ended {
                return None;
            }
            call.ended.insert(self.id(*number), entry.scopes.clone());
        }
        Some(call)
    }

    fn note(&mut self, told: &Told, now: Instant) {
        for (number, stage) in &told.stages {
            let Some(entry) = self.entries.get_mut(number).filter(|entry| entry.stage == *stage) else { continue };
            match stage {
                EntryStage::Ended => drop(self.entries.remove(number)),
                EntryStage::InFlight | EntryStage::Uncertain(_) => entry.told_at = Some(now),
            }
        }
    }

    fn id(&self, number: u64) -> String {
        format!("{}:{number}", self.replica)
    }
}

impl Contact {
    /// At least how late it is in the store.
    fn time_at(&self, now: Instant) -> StoreTime {
        self.time + millis(now.saturating_duration_since(self.at))
    }
}

/// Business Central works this long on a request whose client has given up (BC, "Operational limits").
pub const MAX_EXECUTION: Duration = Duration::from_secs(600);

/// How long a replica promises to register its changes. Changes wait at most so long when the store goes away.
const PROMISE: Duration = Duration::from_secs(3);

/// A registration that the store gets later than this does nothing: its change would count as in flight, after its end
/// was told.
const REGISTRATION_TIME: Duration = Duration::from_secs(5);

/// When a change in flight is registered again: well before the store forgets it.
const RENEWAL: Duration = Duration::from_secs(240);

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn reply() -> Reply {
        Reply { time: 1_000_000, instance: "data".to_owned(), run: "run".to_owned(), ..Reply::default() }
    }

    /// A journal of a replica that is registered, with one environment.
    fn registered(now: Instant) -> Journal {
        let mut journal = Journal::new("replica");
        journal.set_tracked(&"environment".to_owned(), true);
        let (_, told) = journal.call(now, 0);
        let unknown = Reply { is_unknown: true, ..reply() };
        assert_eq!(journal.replied(told, unknown, now), Next::CallAgain);
        assert_eq!(journal.run(0), None);
        let (call, told) = journal.call(now, 0);
        assert!(call.presence.is_some_and(|presence| presence.tracked.is_some()));
        assert_eq!(journal.replied(told, reply(), now), Next::Done);
        assert_eq!((journal.run(0), journal.run(1)), (Some("run"), None));
        journal
    }

    fn begin(journal: &mut Journal, now: Instant) -> u64 {
        journal.begin(&"environment".to_owned(), vec!["scope".to_owned()], now)
    }

    #[test]
    fn a_change_that_the_store_does_not_know_waits_until_the_promise_expires() {
        let now = Instant::now();
        let mut journal = registered(now);
        let change = begin(&mut journal, now);
        assert_eq!(journal.permit(change, now, false), Err(now + PROMISE));
        assert_eq!(journal.permit(change, now + PROMISE, false), Ok(()));
        // The next call tells everything, even if the store was not seen to be away.
        let (call, _) = journal.call(now + PROMISE, 0);
        assert!(call.presence.is_some_and(|presence| presence.tracked.is_some()) && call.begun.len() == 1);
        let elsewhere = journal.begin(&"elsewhere".to_owned(), Vec::new(), now);
        assert_eq!(journal.permit(elsewhere, now, false), Ok(()), "nobody has a cache there");
    }

    #[test]
    fn a_change_is_told_at_its_beginning_and_at_its_end_and_in_between_if_it_lasts() {
        let now = Instant::now();
        let mut journal = registered(now);
        let change = begin(&mut journal, now);
        let (call, told) = journal.registration(change, now).unwrap();
        assert_eq!(call.begun.len(), 1);
        journal.registered(&told, &reply(), now);
        assert_eq!(journal.permit(change, now, false), Ok(()));
        let tell = |journal: &mut Journal, now| {
            let (call, told) = journal.call(now, 0);
            journal.replied(told, reply(), now);
            (call.begun.len(), call.ended.len())
        };
        assert_eq!(tell(&mut journal, now + SECOND), (0, 0));
        assert_eq!(tell(&mut journal, now + RENEWAL), (1, 0));
        assert!(journal.end(change, true, now));
        assert_eq!(tell(&mut journal, now + RENEWAL), (0, 1));
        assert_eq!(tell(&mut journal, now + RENEWAL), (0, 0));
        assert!(journal.entries.is_empty());
    }

    #[test]
    fn a_change_without_an_outcome_is_told_once_more_and_forgotten_in_time() {
        let now = Instant::now();
        let mut journal = registered(now);
        let change = begin(&mut journal, now);
        assert!(journal.end(change, false, now));
        let (call, told) = journal.call(now, 0);
        assert_eq!((call.begun.len(), journal.replied(told, reply(), now)), (1, Next::Done));
        assert!(journal.call(now + RENEWAL, 0).0.begun.is_empty());
        journal.call(now + MAX_EXECUTION, 0);
        assert!(journal.entries.is_empty());
    }

    #[test]
    fn changes_of_a_long_outage_take_no_memory_after_their_end() {
        let now = Instant::now();
        let mut journal = registered(now);
        for _ in 0..1000 {
            let change = begin(&mut journal, now);
            assert_eq!(journal.permit(change, now + PROMISE, false), Ok(()));
            assert!(!journal.end(change, true, now));
        }
        assert!(journal.entries.is_empty() && journal.is_full_due);
    }

    #[test]
    fn a_replica_with_changes_that_the_store_does_not_know_does_not_leave_in_order() {
        let now = Instant::now();
        let mut journal = registered(now);
        assert!(journal.leave(1).is_none());
        assert_eq!(journal.leave(0).and_then(|call| call.leaving), Some("replica".to_owned()));
        begin(&mut journal, now);
        assert!(journal.leave(0).is_none());
    }
}
