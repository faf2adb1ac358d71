//! The promise of the cache, checked with random schedules: journals of several replicas against the real script, on a
//! clock of the test.
//!
//! Each run is a list of steps. Links to the store fail, calls are lost or arrive late, the store loses its data or
//! goes back to old data. A read that begins after a change was answered never sees data from before it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::time::Instant;

use super::journal::{Journal, Next};
use super::message::{Call, EnvironmentId, Read, Reply, ScopeId};
use crate::shared_store::changes_at_given_time;
use crate::shared_store::test_server::TestServer;

/// A server, and the script on the clock of the test.
struct TestStore {
    _server: TestServer,
    connection: redis::Connection,
    script: redis::Script,
    clock: u64,
    /// Server processes before this one.
    runs: u64,
}

impl TestStore {
    fn start() -> Self {
        let server = TestServer::start();
        let connection = server.connect();
        Self { _server: server, connection, script: changes_at_given_time(), clock: START, runs: 0 }
    }

    fn run(&mut self, call: &Call) -> Reply {
        let mut invocation = self.script.key("test:{changes}");
        invocation.arg(serde_json::to_string(call).unwrap()).arg(self.clock).arg(self.runs);
        let reply: String = invocation.invoke(&mut self.connection).unwrap();
        serde_json::from_str(&reply).unwrap_or_else(|error| panic!("{error}: {reply}"))
    }

    fn command(&mut self, words: &[&str]) {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]).exec(&mut self.connection).unwrap();
    }

    /// Copies all data from one database to another, over what is there.
    fn copy(&mut self, from: u8, to: u8) {
        self.command(&["SELECT", &to.to_string()]);
        self.command(&["FLUSHDB"]);
        self.command(&["SELECT", &from.to_string()]);
        let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut self.connection).unwrap();
        for key in keys {
            self.command(&["COPY", &key, &key, "DB", &to.to_string()]);
        }
        self.command(&["SELECT", "0"]);
    }
}

/// Some time, in milliseconds.
const START: u64 = 1_700_000_000_000;

#[derive(Debug, Clone)]
enum Step {
    /// Milliseconds pass.
    Wait(u64),
    /// The replica tells what is due, as it does each second.
    Tell(usize),
    /// The next call fails, and so do all until the link is back.
    Cut(usize, Loss),
    Restore(usize),
    /// A call that was lost arrives.
    Deliver(usize),
    Begin(usize, Company),
    /// Moves a write one step further.
    Advance(usize),
    Abandon(usize),
    BeginRead(usize, Company),
    /// Moves a read one step further.
    AdvanceRead(usize),
    /// A read to its end.
    Read(usize, Company),
    /// Everything is as it should be, and what is in flight ends.
    Settle,
    Leave(usize),
    Kill(usize),
    Flush,
    Restart,
    Save,
    GoBack,
}

/// What becomes of a call that gets no reply.
#[derive(Debug, Clone, Copy)]
enum Loss {
    Call,
    Reply,
    Late,
}

/// A company; `None`: any.
type Company = Option<usize>;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let replica = || 0..3_usize;
    let company = || prop_oneof![4 => (0..2_usize).prop_map(Some), 1 => Just(None)];
    let loss = prop_oneof![Just(Loss::Call), Just(Loss::Reply), Just(Loss::Late)];
    let step = prop_oneof![
        60 => prop_oneof![3 => 1..1000_u64, 1 => 1000..6000_u64].prop_map(Step::Wait),
        30 => replica().prop_map(Step::Tell),
        6 => (replica(), loss).prop_map(|(replica, loss)| Step::Cut(replica, loss)),
        30 => replica().prop_map(Step::Restore),
        10 => replica().prop_map(Step::Deliver),
        60 => (replica(), company()).prop_map(|(replica, company)| Step::Begin(replica, company)),
        240 => (0..4_usize).prop_map(Step::Advance),
        4 => (0..4_usize).prop_map(Step::Abandon),
        60 => (replica(), company()).prop_map(|(replica, company)| Step::BeginRead(replica, company)),
        120 => (0..4_usize).prop_map(Step::AdvanceRead),
        240 => (replica(), company()).prop_map(|(replica, company)| Step::Read(replica, company)),
        20 => Just(Step::Settle),
        3 => replica().prop_map(Step::Leave),
        3 => replica().prop_map(Step::Kill),
        3 => Just(Step::Flush),
        3 => Just(Step::Restart),
        5 => Just(Step::Save),
        3 => Just(Step::GoBack),
    ];
    prop::collection::vec(step, 50..200)
}

struct Replica {
    journal: Journal,
    outages: u64,
    is_up: bool,
    /// The connection is gone, which the next call finds out.
    is_broken: bool,
    cut: Option<Loss>,
    late: Vec<Call>,
    /// Steps of its own writes, and how many are in flight.
    count: u64,
    in_flight: usize,
    cache: HashMap<Company, (Moment, u64)>,
}

type Moment = (u64, u64, Vec<String>);

struct Write {
    replica: usize,
    company: Company,
    number: u64,
    stage: usize,
}

struct Fetch {
    replica: usize,
    company: Company,
    moment: Moment,
    /// The oldest data that those who wait for it may see.
    required: u64,
    seen: Option<u64>,
}

struct World {
    store: TestStore,
    start: Instant,
    replicas: Vec<Replica>,
    replicas_so_far: usize,
    writes: Vec<Write>,
    fetches: Vec<Fetch>,
    /// The data of each company at Business Central, and what a client knows to be there.
    data: [u64; 2],
    answered: [u64; 2],
    environment: EnvironmentId,
    hits: usize,
    bypasses: usize,
}

impl World {
    fn new(mut store: TestStore, start: Instant) -> Self {
        store.command(&["FLUSHALL"]);
        (store.clock, store.runs) = (START, 0);
        let mut world = Self {
            store,
            start,
            replicas: Vec::new(),
            replicas_so_far: 0,
            writes: Vec::new(),
            fetches: Vec::new(),
            data: [1; 2],
            answered: [1; 2],
            environment: "environment".into(),
            hits: 0,
            bypasses: 0,
        };
        for _ in 0..3 {
            let replica = world.new_replica();
            world.replicas.push(replica);
        }
        (0..3).for_each(|replica| world.tell(replica));
        world.wait(5001);
        world
    }

    fn new_replica(&mut self) -> Replica {
        self.replicas_so_far += 1;
        let mut journal = Journal::new(&format!("r{}", self.replicas_so_far));
        journal.set_tracked(&self.environment, true);
        Replica {
            journal,
            outages: 0,
            is_up: true,
            is_broken: false,
            cut: None,
            late: Vec::new(),
            count: 0,
            in_flight: 0,
            cache: HashMap::new(),
        }
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_millis(self.store.clock - START)
    }

    fn call(&mut self, replica: usize, call: &Call) -> Option<Reply> {
        let caller = &mut self.replicas[replica];
        if !caller.is_up {
            return None;
        }
        if caller.cut.is_none() && !std::mem::take(&mut caller.is_broken) {
            return Some(self.store.run(call));
        }
        caller.is_up = false;
        caller.outages += 1;
        match caller.cut {
            Some(Loss::Late) => caller.late.push(call.clone()),
            Some(Loss::Reply) => drop(self.store.run(call)),
            Some(Loss::Call) | None => {}
        }
        None
    }

    fn tell(&mut self, replica: usize) {
        for _ in 0..4 {
            let (now, teller) = (self.now(), &mut self.replicas[replica]);
            if !teller.is_up {
                return;
            }
            let (call, told) = teller.journal.call(now, teller.outages);
            let reply = self.call(replica, &call);
            let journal = &mut self.replicas[replica].journal;
            let next = match reply {
                Some(reply) => journal.replied(told, reply, now),
                None => return journal.failed(told),
            };
            if next == Next::Done {
                return;
            }
        }
    }

    fn scopes(company: Company) -> Vec<ScopeId> {
        let company = company.map_or_else(|| "anything".to_owned(), |company| company.to_string());
        vec![company, "all".to_owned()]
    }

    fn begin(&mut self, replica: usize, company: Company) {
        let now = self.now();
        let writer = &mut self.replicas[replica];
        writer.count += 1;
        writer.in_flight += 1;
        let number = writer.journal.begin(&self.environment, Self::scopes(company), now);
        if writer.is_up
            && let Some((call, told)) = writer.journal.registration(number, now)
        {
            let reply = self.call(replica, &call);
            let journal = &mut self.replicas[replica].journal;
            match reply {
                Some(reply) => journal.registered(&told, &reply, now),
                None => journal.failed(told),
            }
        }
        self.writes.push(Write { replica, company, number, stage: 0 });
    }

    fn advance(&mut self, index: usize) {
        let now = self.now();
        let Some(write) = self.writes.get_mut(index) else { return };
        let writer = &mut self.replicas[write.replica];
        let companies = write.company.map_or(0..2, |company| company..company + 1);
        match write.stage {
            // It is sent.
            0 if writer.journal.permit(write.number, now, writer.is_up).is_ok() => write.stage = 1,
            0 => {}
            // It is carried out.
            1 => {
                companies.for_each(|company| self.data[company] += 1);
                write.stage = 2;
            }
            // It is answered.
            2 => {
                writer.count += 1;
                companies.for_each(|company| self.answered[company] = self.data[company]);
                write.stage = 3;
            }
            _ => {
                writer.count += 1;
                writer.in_flight -= 1;
                writer.journal.end(write.number, true, now);
                self.writes.remove(index);
            }
        }
    }

    /// What a read in this company goes by; `None`: it can't come from the cache.
    fn moment(&mut self, replica: usize, company: Company) -> Option<Moment> {
        let reader = &self.replicas[replica];
        let (count, outages) = (reader.count, reader.outages);
        let run = reader.journal.run(outages)?.to_owned();
        let is_quiet = reader.in_flight == 0;
        let scopes = match company {
            Some(company) => vec![company.to_string(), "anything".to_owned()],
            None => vec!["all".to_owned()],
        };
        let read = Read { environment: self.environment.clone(), scopes, run };
        let reply = self.call(replica, &Call { read: Some(read), ..Call::default() })?;
        (is_quiet && reply.obstacle.is_none()).then_some((count, outages, reply.epochs))
    }

    /// The data that a read in this company sees, or has to see: of all companies, their sum stands for it.
    fn of(data: [u64; 2], company: Company) -> u64 {
        company.map_or(data.iter().sum(), |company| data[company])
    }

    fn begin_read(&mut self, replica: usize, company: Company) -> Result<(), TestCaseError> {
        let required = Self::of(self.answered, company);
        let Some(moment) = self.moment(replica, company) else {
            self.bypasses += 1;
            return Ok(());
        };
        if let Some((then, seen)) = self.replicas[replica].cache.get(&company)
            && *then == moment
        {
            self.hits += 1;
            prop_assert!(*seen >= required, "a hit shows {seen} instead of {required}");
            return Ok(());
        }
        let is_same =
            |fetch: &&mut Fetch| fetch.replica == replica && fetch.company == company && fetch.moment == moment;
        match self.fetches.iter_mut().find(is_same) {
            Some(Fetch { seen: Some(seen), .. }) => {
                prop_assert!(*seen >= required, "a shared response shows {seen} instead of {required}");
            }
            Some(fetch) => fetch.required = fetch.required.max(required),
            None => self.fetches.push(Fetch { replica, company, moment, required, seen: None }),
        }
        Ok(())
    }

    fn advance_read(&mut self, index: usize) -> Result<(), TestCaseError> {
        let Some(fetch) = self.fetches.get_mut(index) else { return Ok(()) };
        let Some(seen) = fetch.seen else {
            let seen = Self::of(self.data, fetch.company);
            prop_assert!(seen >= fetch.required);
            fetch.seen = Some(seen);
            return Ok(());
        };
        let Fetch { replica, company, moment, .. } = self.fetches.remove(index);
        if self.moment(replica, company).as_ref() == Some(&moment) {
            self.replicas[replica].cache.insert(company, (moment, seen));
        }
        Ok(())
    }

    /// Another replica takes the place of this one.
    fn replace(&mut self, replica: usize) {
        self.writes.retain(|write| write.replica != replica);
        self.fetches.retain(|fetch| fetch.replica != replica);
        let new = self.new_replica();
        self.replicas[replica] = new;
        self.tell(replica);
    }

    fn take(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Wait(millis) => self.wait(millis),
            Step::Tell(replica) => self.tell(replica),
            Step::Cut(replica, loss) => self.replicas[replica].cut = Some(loss),
            Step::Restore(replica) => {
                let replica = &mut self.replicas[replica];
                replica.cut = None;
                replica.is_broken &= replica.is_up;
                replica.is_up = true;
            }
            Step::Deliver(replica) => {
                if let Some(call) = self.replicas[replica].late.pop() {
                    self.store.run(&call);
                }
            }
            Step::Begin(replica, company) => self.begin(replica, company),
            Step::Advance(index) => self.advance(index),
            Step::Abandon(index) if index < self.writes.len() => {
                let (now, write) = (self.now(), self.writes.remove(index));
                let writer = &mut self.replicas[write.replica];
                (writer.count, writer.in_flight) = (writer.count + 1, writer.in_flight - 1);
                writer.journal.end(write.number, false, now);
            }
            Step::BeginRead(replica, company) => self.begin_read(replica, company)?,
            Step::AdvanceRead(index) => self.advance_read(index)?,
            Step::Read(replica, company) => {
                self.begin_read(replica, company)?;
                let last = self.fetches.len().saturating_sub(1);
                self.advance_read(last)?;
                self.advance_read(last)?;
            }
            Step::Settle => {
                for replica in &mut self.replicas {
                    (replica.cut, replica.is_broken, replica.is_up) = (None, false, true);
                }
                self.wait(6000);
                while !self.writes.is_empty() {
                    self.advance(0);
                }
                while !self.fetches.is_empty() {
                    self.advance_read(0)?;
                }
                self.wait(1000);
            }
            Step::Leave(replica) if self.is_complete() && self.writes.iter().all(|write| write.replica != replica) => {
                let leaver = &self.replicas[replica];
                if let Some(call) = leaver.journal.leave(leaver.outages) {
                    self.call(replica, &call);
                }
                self.replace(replica);
            }
            Step::Kill(replica) if self.is_complete() => self.replace(replica),
            Step::Flush => self.store.command(&["FLUSHDB"]),
            Step::Restart => {
                self.store.command(&["FLUSHDB"]);
                self.lose_connections();
            }
            Step::Save => self.store.copy(0, 1),
            Step::GoBack => {
                self.store.copy(1, 0);
                self.lose_connections();
            }
            Step::Abandon(_) | Step::Leave(_) | Step::Kill(_) => {}
        }
        Ok(())
    }

    /// Each replica tells what is due at least once a second.
    fn wait(&mut self, mut millis: u64) {
        while millis > 0 {
            let until_tick = 1000 - self.store.clock % 1000;
            let step = millis.min(until_tick);
            self.store.clock += step;
            millis -= step;
            if step == until_tick {
                (0..self.replicas.len()).for_each(|replica| self.tell(replica));
            }
        }
    }

    /// A new replica does not know those that the store does not know, and can't.
    fn is_complete(&self) -> bool {
        self.replicas.iter().all(|replica| replica.is_up && !replica.is_broken && replica.cut.is_none())
    }

    fn lose_connections(&mut self) {
        self.store.runs += 1;
        self.replicas.iter_mut().for_each(|replica| replica.is_broken = true);
    }
}

#[test]
#[ignore = "needs redis-server"]
fn a_read_after_a_change_sees_it_whatever_happens() {
    let runs = std::env::var("BCPROXY_MODEL_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(2000);
    let config = Config { cases: runs, failure_persistence: None, max_shrink_iters: 4000, ..Config::default() };
    let store = RefCell::new(Some(TestStore::start()));
    let (start, hits, bypasses) = (Instant::now(), Cell::new(0), Cell::new(0));
    let outcome = TestRunner::new(config).run(&steps(), |steps| {
        let mut world = World::new(store.take().unwrap(), start);
        let outcome = steps.into_iter().try_for_each(|step| world.take(step));
        hits.set(hits.get() + world.hits);
        bypasses.set(bypasses.get() + world.bypasses);
        store.replace(Some(world.store));
        outcome
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(hits.get() > runs as usize, "only {} hits in all runs", hits.get());
    println!("{runs} runs, {} hits, {} responses that could not be used", hits.get(), bypasses.get());
}
