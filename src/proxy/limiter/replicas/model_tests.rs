//! The script of the shared limiter against a model, with random schedules: what it grants, and when.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::time::Instant;

use super::super::window::Window;
use super::call::{Call, Reply};
use crate::config::{Limits, Rate};
use crate::shared_store::limiter_at_given_time;
use crate::shared_store::test_server::TestServer;

const REPLICAS: [&str; 3] = ["first", "second", "third"];
const APPLICATIONS: [&str; 2] = ["a", "b"];
const LEASE: u64 = 30_000;
const HEAD: u64 = 1_500;

#[derive(Debug, Clone)]
struct Setting {
    concurrency: usize,
    count: usize,
    per: u64,
}

/// One call of a replica, some time after the one before.
#[derive(Debug, Clone)]
struct Step {
    after: u64,
    replica: usize,
    waiting: [usize; 2],
    releases: usize,
    renews: bool,
    pause: Option<u64>,
}

fn settings() -> impl Strategy<Value = Setting> {
    let per = prop_oneof![2_000..12_000_u64, Just(300_000)];
    (1..5_usize, 1..14_usize, per).prop_map(|(concurrency, count, per)| Setting { concurrency, count, per })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let after = prop_oneof![4 => 0..20_u64, 3 => 20..1_000_u64, 2 => 1_000..9_000_u64, 1 => 9_000..400_000_u64];
    let pause = prop_oneof![20 => Just(None), 1 => (1..5_000_u64).prop_map(Some)];
    let step = (after, 0..3_usize, [0..3_usize, 0..3_usize], 0..3_usize, any::<bool>(), pause).prop_map(
        |(after, replica, waiting, releases, renews, pause)| Step { after, replica, waiting, releases, renews, pause },
    );
    proptest::collection::vec(step, 1..60)
}

/// What the script should know and do, in the words of the local limiter.
struct Model {
    start: Instant,
    time: u64,
    limits: Limits,
    windows: [Window; 2],
    leases: Vec<Lease>,
    /// In order of arrival: replica, application, expiry.
    heads: Vec<(usize, usize, u64)>,
    paused_until: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Lease {
    replica: usize,
    number: u64,
    application: usize,
    expires: u64,
}

impl Model {
    fn new(setting: &Setting) -> Self {
        let start = Instant::now();
        let requests = Rate { count: setting.count, per: Duration::from_millis(setting.per) };
        let limits = Limits { concurrency: setting.concurrency, requests, queue: 1, wait: Duration::from_secs(1) };
        let windows = [Window::new(start), Window::new(start)];
        Self { start, time: IDLE, limits, windows, leases: Vec::new(), heads: Vec::new(), paused_until: 0 }
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_millis(self.time)
    }

    fn end_expired(&mut self) {
        let (now, rate) = (self.now(), self.limits.requests);
        self.leases.sort_by_key(|lease| lease.expires);
        while let Some(lease) = self.leases.first().copied().filter(|lease| lease.expires <= self.time) {
            self.leases.remove(0);
            self.windows[lease.application].release(now, rate);
        }
    }

    fn release(&mut self, released: Lease) {
        let (now, rate) = (self.now(), self.limits.requests);
        let is_held = |lease: &Lease| (lease.replica, lease.number) == (released.replica, released.number);
        match self.leases.iter().position(is_held) {
            Some(held) => {
                self.leases.remove(held);
                self.windows[released.application].release(now, rate);
            }
            None => self.windows[released.application].end_unknown(now, rate),
        }
    }

    fn renew(&mut self, renewed: Lease) {
        let expires = self.time + LEASE;
        let held =
            self.leases.iter_mut().find(|lease| (lease.replica, lease.number) == (renewed.replica, renewed.number));
        match held {
            Some(lease) => lease.expires = expires,
            None => {
                self.leases.push(Lease { expires, ..renewed });
                self.windows[renewed.application].hold();
            }
        }
    }

    fn arrive(&mut self, replica: usize, waiting: [usize; 2]) {
        let until = self.time + HEAD;
        for (application, waiting) in waiting.into_iter().enumerate() {
            let position = self.heads.iter().position(|head| (head.0, head.1) == (replica, application));
            match (waiting > 0, position) {
                (true, Some(position)) => self.heads[position].2 = until,
                (true, None) => self.heads.push((replica, application, until)),
                (false, Some(position)) => drop(self.heads.remove(position)),
                (false, None) => {}
            }
        }
        self.heads.retain(|head| head.2 > self.time);
    }

    /// Which application of the replica gets a permit. A decision within a millisecond of its time is the script's:
    /// the two round differently.
    fn grant(&mut self, replica: usize, lease: u64, said: Option<usize>) -> Result<(), String> {
        let (now, rate) = (self.now(), self.limits.requests);
        if self.paused_until > self.time {
            return said.map_or(Ok(()), |_| Err("a permit in a pause".to_owned()));
        }
        let free = self.limits.concurrency.saturating_sub(self.leases.len());
        let (mut ahead, mut positions, mut is_exact) = (0, [0; 2], true);
        let mut granted = None;
        for (of, application, _) in self.heads.clone() {
            let at = self.windows[application].next_after(positions[application], now, rate);
            positions[application] += 1;
            is_exact &= at + ROUNDING <= now || at >= now + ROUNDING || at == now;
            let may_go = at <= now;
            if of == replica && may_go && ahead < free && granted.is_none() {
                granted = Some(application);
            }
            ahead += usize::from(may_go);
        }
        if is_exact && granted != said {
            return Err(format!("granted {said:?} instead of {granted:?}"));
        }
        let Some(application) = said else { return Ok(()) };
        if free == 0 {
            return Err("more permits than the concurrency".to_owned());
        }
        if self.windows[application].next_after(0, now, rate) > now + ROUNDING {
            return Err("a permit before the rate allows it".to_owned());
        }
        self.windows[application].grant(now, rate);
        self.leases.push(Lease { replica, number: lease, application, expires: self.time + LEASE });
        Ok(())
    }
}

const ROUNDING: Duration = Duration::from_millis(1);

#[test]
#[ignore = "needs redis-server"]
fn the_script_grants_what_the_model_grants() {
    let server = TestServer::start();
    let connection = RefCell::new(server.connect());
    let script = limiter_at_given_time();
    let applications = APPLICATIONS.map(str::to_owned);
    let (runs, grants) = (Cell::new(0_u64), Cell::new(0_u64));
    let mut runner = TestRunner::new(Config { cases: 3000, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&(settings(), steps()), |(setting, steps)| {
        runs.set(runs.get() + 1);
        let key = format!("test:{{{}}}", runs.get());
        let mut model = Model::new(&setting);
        let mut held: [Vec<Lease>; 3] = Default::default();
        for (number, step) in steps.iter().enumerate() {
            model.time += step.after;
            let lease = number as u64 + 1;
            let own = &mut held[step.replica];
            let released: Vec<Lease> = own.drain(..step.releases.min(own.len())).collect();
            let with = |least| -> Vec<&str> {
                (0..2).filter(|one| step.waiting[*one] >= least).map(|one| APPLICATIONS[one]).collect()
            };
            let call = Call {
                replica: REPLICAS[step.replica],
                instance: (number > 0).then_some("one"),
                new_instance: (number == 0).then(|| "one".to_owned()),
                limits: (&model.limits).into(),
                applications: &applications,
                released: released.iter().map(|one| (one.number, APPLICATIONS[one.application], true)).collect(),
                held: own
                    .iter()
                    .filter(|_| step.renews)
                    .map(|one| (one.number, APPLICATIONS[one.application]))
                    .collect(),
                report: None,
                pause: step.pause,
                heads: with(1),
                further: with(2),
                lease,
            };
            let time = TIME + model.time;
            let mut invocation = script.key(&key);
            let reply = invocation
                .arg(serde_json::to_string(&call).unwrap())
                .arg(time)
                .invoke::<String>(&mut *connection.borrow_mut());
            let reply: Reply = serde_json::from_str(&reply.unwrap()).unwrap();
            prop_assert!(!reply.is_unknown);

            model.end_expired();
            released.into_iter().for_each(|lease| model.release(lease));
            if step.renews {
                own.iter().for_each(|lease| model.renew(*lease));
            }
            if let Some(pause) = step.pause {
                model.paused_until = model.paused_until.max(model.time + pause);
            }
            model.arrive(step.replica, step.waiting);
            let said = reply.granted.as_deref().map(|one| usize::from(one == APPLICATIONS[1]));
            let granted = model.grant(step.replica, lease, said);
            prop_assert!(granted.is_ok(), "call {number} at {}: {granted:?}, {reply:?}", model.time);
            if let Some(application) = said {
                grants.set(grants.get() + 1);
                own.push(*model.leases.last().unwrap());
                model.heads.retain(|head| (head.0, head.1) != (step.replica, application));
                if step.waiting[application] > 1 {
                    let ahead = model.heads.iter().filter(|head| head.1 == application).count();
                    let (now, rate) = (model.now(), model.limits.requests);
                    let at = model.windows[application].next_after(ahead as u32, now, rate);
                    let wait = reply.waits.get(if application == 0 { "a" } else { "b" }).copied().unwrap_or(0.0);
                    let expected = at.saturating_duration_since(now).as_secs_f64() * 1000.0;
                    prop_assert!((wait - expected).abs() < 1.0, "call {number}: {wait} instead of {expected}");
                    model.heads.push((step.replica, application, model.time + HEAD));
                }
            }
            prop_assert_eq!(reply.in_flight, model.leases.len());
            let now = model.now();
            for (application, used) in &reply.used {
                let index = usize::from(application == APPLICATIONS[1]);
                prop_assert_eq!(*used, model.windows[index].used(now, model.limits.requests));
            }
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    let (runs, grants) = (runs.get(), grants.get());
    assert!(grants > 2 * runs, "{grants} permits in {runs} runs");
    println!("{runs} runs, {grants} permits");
}

/// A window in service is older than what it can catch up with.
const IDLE: u64 = 10_000;

/// Some day, in milliseconds: the numbers of the script are as long as in service.
const TIME: u64 = 1_800_000_000_000;
