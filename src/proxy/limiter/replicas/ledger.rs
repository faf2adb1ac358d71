//! What the shared store knows of this replica's permits, and what it has yet to be told.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::super::slices::Slices;
use super::call::{Call, Report};
use super::instance::Instance;
use crate::config::{Limits, Rate};
use crate::entra::ClientId;
use crate::shared_store::digest;
use crate::units::millis;

/// The ledger of one limiter.
#[derive(Debug)]
pub struct Ledger {
    /// Each application as the store knows it, by lane.
    applications: Vec<String>,
    /// Which data in the store belong to this ledger.
    instance: Instance,
    /// Permits that are held, by the number of their lease.
    leases: HashMap<u64, Lease>,
    next_lease: u64,
    /// Leases that have ended.
    released: Vec<Released>,
    /// Requests without a lease in the store that have ended, by lane.
    unreported: Vec<Slices>,
    /// Those of them that a call reports, until it has succeeded.
    report: Option<OwnReport>,
    reports: u64,
    /// The end of a pause that the store does not know.
    paused_until: Option<Instant>,
    /// When the leases are renewed.
    renew_at: Instant,
    /// The lanes whose heads the store knows.
    heads: Vec<usize>,
    /// When the store is asked again for a permit.
    poll_at: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Lease {
    lane: usize,
    /// Whether the store may know of it.
    is_known: bool,
}

#[derive(Debug, Clone, Copy)]
struct Released {
    lease: u64,
    lane: usize,
    is_sent: bool,
}

#[derive(Debug)]
struct OwnReport {
    /// A repeated report has the number of the first: the store takes it once.
    number: u64,
    /// Whether it has everything that counts, for data in the store that are new.
    is_whole: bool,
    slices: Vec<(usize, Instant, usize)>,
}

/// The queue of an application, and what counts against its rate.
#[derive(Debug)]
pub struct Queue<'q> {
    pub application: ClientId,
    /// Requests in it.
    pub waiting: usize,
    /// This replica's requests that have ended.
    pub ended: &'q Slices,
}

/// A call that was sent.
#[derive(Debug)]
pub struct Sent {
    /// The permit that it asks for.
    pub lease: u64,
    released: usize,
    heads: Vec<usize>,
    further: Vec<usize>,
    paused_until: Option<Instant>,
    is_renewal: bool,
}

impl Ledger {
    /// A ledger without permits.
    pub fn new(now: Instant) -> Self {
        Self {
            applications: Vec::new(),
            instance: Instance::Unknown,
            leases: HashMap::new(),
            next_lease: 0,
            released: Vec::new(),
            unreported: Vec::new(),
            report: None,
            reports: 0,
            paused_until: None,
            renew_at: now,
            heads: Vec::new(),
            poll_at: now,
        }
    }

    /// The number of the next permit's lease.
    pub fn next_lease(&mut self) -> u64 {
        self.next_lease += 1;
        self.next_lease
    }

    /// Notes a permit. `is_known`: the store has granted it.
    pub fn hold(&mut self, lease: u64, lane: usize, is_known: bool, now: Instant) {
        if self.leases.is_empty() {
            self.renew_at = now + RENEWAL;
        }
        self.leases.insert(lease, Lease { lane, is_known });
    }

    /// Notes that a permit was released.
    pub fn release(&mut self, lease: u64, now: Instant, rate: Rate) {
        match self.leases.remove(&lease) {
            Some(Lease { lane, is_known: true }) => self.released.push(Released { lease, lane, is_sent: true }),
            Some(Lease { lane, is_known: false }) => {
                if self.unreported.len() <= lane {
                    self.unreported.resize_with(lane + 1, Slices::default);
                }
                if let Some(slices) = self.unreported.get_mut(lane) {
                    slices.expire(now, rate);
                    slices.add(now, rate);
                }
            }
            None => {}
        }
    }

    /// Notes that nothing was sent with this permit of the store, if it was granted at all.
    pub fn give_back(&mut self, lease: u64, lane: usize) {
        self.released.push(Released { lease, lane, is_sent: false });
    }

    /// Notes a pause that Business Central asked for.
    pub fn pause(&mut self, until: Instant) {
        self.paused_until = self.paused_until.max(Some(until));
    }

    /// The store is asked for a permit at once.
    pub fn poll_now(&mut self, now: Instant) {
        self.poll_at = self.poll_at.min(now);
    }

    /// The store was away: everything held is registered by the next call.
    pub fn register(&mut self, now: Instant) {
        self.heads.clear();
        (self.renew_at, self.poll_at) = (now, now);
    }

    /// When the next call is due; `waiting`: the lanes in which requests wait. `None`: there is nothing to tell or ask.
    pub fn due(&self, waiting: &[usize], now: Instant) -> Option<Instant> {
        let has_news = self.instance.is_due()
            || !self.released.is_empty()
            || self.paused_until.is_some()
            || self.report.is_some()
            || self.unreported.iter().any(|slices| slices.count() > 0)
            || self.heads.iter().any(|lane| !waiting.contains(lane))
            || waiting.iter().any(|lane| !self.heads.contains(lane));
        if has_news {
            return Some(now);
        }
        let poll = (!waiting.is_empty()).then_some(self.poll_at);
        let renewal = (!self.leases.is_empty()).then_some(self.renew_at);
        poll.into_iter().chain(renewal).min()
    }

    /// The next call. Without an instance, it tells everything.
    pub fn call<'l>(
        &'l mut self,
        replica: &'l str,
        queues: &[Queue<'_>],
        limits: &Limits,
        now: Instant,
    ) -> (Call<'l>, Sent) {
        for queue in queues.iter().skip(self.applications.len()) {
            self.applications.push(digest(&[&queue.application.to_string()]));
        }
        let is_new = self.instance.mark().is_none();
        if is_new && !self.report.as_ref().is_some_and(|report| report.is_whole) {
            self.released.clear();
            self.unreported.clear();
            self.report_slices(queues.iter().map(|queue| queue.ended).enumerate(), true);
        } else if self.report.is_none() {
            let unreported = std::mem::take(&mut self.unreported);
            self.report_slices(unreported.iter().enumerate(), false);
        }
        let is_renewal = is_new || self.renew_at <= now;
        if is_renewal {
            self.leases.values_mut().for_each(|lease| lease.is_known = true);
        }
        let lease = self.next_lease();
        let with = |least: usize| {
            let queues = queues.iter().enumerate().filter(move |(_, queue)| queue.waiting >= least);
            queues.map(|(lane, _)| lane).collect::<Vec<usize>>()
        };
        let (heads, further) = (with(1), with(2));
        let sent = Sent {
            lease,
            released: self.released.len(),
            heads: heads.clone(),
            further: further.clone(),
            paused_until: self.paused_until,
            is_renewal,
        };
        let name = |lane: usize| self.applications.get(lane).map_or("", String::as_str);
        let held = self.leases.iter().filter(|_| is_renewal);
        let age = |at: Instant| millis(now.saturating_duration_since(at));
        let report = self.report.as_ref().map(|report| Report {
            number: report.number,
            slices: report.slices.iter().map(|(lane, at, count)| (name(*lane), age(*at), *count)).collect(),
        });
        let call = Call {
            replica,
            instance: self.instance.mark(),
            new_instance: is_new.then(|| format!("{:016x}", fastrand::u64(..))),
            limits: limits.into(),
            applications: &self.applications,
            released: self.released.iter().map(|one| (one.lease, name(one.lane), one.is_sent)).collect(),
            held: held.map(|(lease, of)| (*lease, name(of.lane))).collect(),
            report,
            pause: self.paused_until.map(|until| millis(until.saturating_duration_since(now))),
            heads: heads.into_iter().map(name).collect(),
            further: further.into_iter().map(name).collect(),
            lease,
        };
        (call, sent)
    }

    fn report_slices<'s>(&mut self, slices: impl Iterator<Item = (usize, &'s Slices)>, is_whole: bool) {
        let all = slices.flat_map(|(lane, slices)| slices.iter().map(move |slice| (lane, slice.last, slice.count)));
        let slices: Vec<_> = all.collect();
        self.report = (!slices.is_empty()).then(|| {
            self.reports += 1;
            OwnReport { number: self.reports, is_whole, slices }
        });
    }

    /// The store has lost data. If this ledger's count, a call asks for them. They must not be told a second time.
    pub fn doubt(&mut self, has_ended: bool) {
        if let Some(mark) = self.instance.mark().filter(|_| has_ended || !self.leases.is_empty()) {
            self.instance = Instance::Doubted(mark.to_owned());
        }
    }

    /// The store has other data: everything is told at once.
    pub fn lost(&mut self) {
        self.instance = Instance::Lost;
    }

    /// The call has succeeded. `granted`: the lane that got the permit.
    pub fn succeeded(&mut self, sent: &Sent, instance: &str, granted: Option<usize>, now: Instant) {
        if !self.instance.is_known_as(instance) {
            self.instance = Instance::Known(instance.to_owned());
        }
        self.released.drain(..sent.released.min(self.released.len()));
        self.report = None;
        if self.paused_until == sent.paused_until {
            self.paused_until = None;
        }
        if sent.is_renewal {
            self.renew_at = now + RENEWAL;
        }
        self.heads.clone_from(&sent.heads);
        if let Some(lane) = granted.filter(|lane| !sent.further.contains(lane)) {
            self.heads.retain(|head| *head != lane);
        }
    }

    /// The call got no reply. A permit that was granted nevertheless must not stay held; of which queue, nobody knows.
    pub fn failed(&mut self, sent: &Sent) {
        sent.heads.iter().for_each(|lane| self.give_back(sent.lease, *lane));
    }

    /// Sets when the store is asked again for a permit, if no message comes before.
    pub fn poll_after(&mut self, wait: Duration, now: Instant) {
        self.poll_at = now + wait;
    }

    /// The application of a lane as the store knows it.
    pub fn application(&self, lane: usize) -> Option<&String> {
        self.applications.get(lane)
    }

    /// The lane of an application as the store knows it.
    pub fn lane(&self, application: &str) -> Option<usize> {
        self.applications.iter().position(|one| one == application)
    }
}

/// A third of a lease's life in `limiter.lua`.
const RENEWAL: Duration = Duration::from_secs(10);
