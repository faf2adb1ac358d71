//! The last hour, for the charts of the status page: a ring of points in memory, ten seconds each.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use time::OffsetDateTime;
use tokio::time::MissedTickBehavior;

use super::control::Status;
use crate::proxy::{Limiter, TrafficCounts, View, distinct};

/// The last hour. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct History(Arc<Mutex<VecDeque<HistoryPoint>>>);

/// Ten seconds of the past.
#[derive(Debug, Clone, Copy)]
pub struct HistoryPoint {
    /// The end of the ten seconds.
    pub at: OffsetDateTime,
    pub requests_per_second: f64,
    /// Requests whose response had a status of 400 or more, or none.
    pub errors_per_second: f64,
    /// The median time from the head of a request to the end of its response; `None` without requests.
    pub p50: Option<Duration>,
    /// The time that 95 of 100 requests did not exceed.
    pub p95: Option<Duration>,
    /// The same of the time in the limiter's queue.
    pub queue_p95: Option<Duration>,
    /// The same of the time from sending a request to Business Central to the head of its response.
    pub upstream_p95: Option<Duration>,
    /// The most queued requests at one moment.
    pub queued: usize,
    /// The most permits in use at one moment.
    pub in_flight: usize,
    /// At that moment, the limit of `in_flight` of all limiters in use.
    pub permits: usize,
}

/// What is in use of all limiters at one moment.
#[derive(Debug, Clone, Copy, Default)]
struct Load {
    queued: usize,
    in_flight: usize,
    permits: usize,
}

impl History {
    /// Records what `status` shows on the current runtime, as long as this is in use.
    pub fn record(status: Arc<ArcSwap<Status>>) -> Self {
        let history = Self::default();
        let points = Arc::downgrade(&history.0);
        tokio::spawn(async move {
            let mut interval = tokio::time::interval(SAMPLE_INTERVAL);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut limiters = Limiters::default();
            let mut recorder = Recorder::new(status.load().view.records.traffic.counts());
            interval.tick().await;
            loop {
                interval.tick().await;
                let Some(points) = points.upgrade().map(Self) else { return };
                let status = status.load_full();
                let point = recorder.sample(limiters.of(&status).load(), || status.view.records.traffic.counts());
                if let Some(point) = point {
                    points.add(point);
                }
            }
        });
        history
    }

    /// The points, oldest first: at most 360.
    pub fn points(&self) -> Vec<HistoryPoint> {
        self.lock().iter().copied().collect()
    }

    fn add(&self, point: HistoryPoint) {
        let mut points = self.lock();
        if points.len() == MAX_POINTS {
            points.pop_front();
        }
        points.push_back(point);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<HistoryPoint>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a point of every five samples.
#[derive(Debug)]
struct Recorder {
    before: TrafficCounts,
    load: Load,
    samples: u32,
}

impl Recorder {
    fn new(before: TrafficCounts) -> Self {
        Self { before, load: Load::default(), samples: 0 }
    }

    /// Adds a sample, and returns the point that it completes. `counts`: those of now.
    fn sample(&mut self, load: Load, counts: impl FnOnce() -> TrafficCounts) -> Option<HistoryPoint> {
        self.load = self.load.most(load);
        self.samples += 1;
        if self.samples < SAMPLES_OF_POINT {
            return None;
        }
        let Self { before, load, .. } = std::mem::replace(self, Self::new(counts()));
        Some(point(&before, &self.before, load))
    }
}

fn point(before: &TrafficCounts, now: &TrafficCounts, load: Load) -> HistoryPoint {
    let per_second = |now: u64, before: u64| now.saturating_sub(before) as f64 / POINT_INTERVAL.as_secs_f64();
    let total = now.total.since(&before.total);
    HistoryPoint {
        at: OffsetDateTime::now_utc(),
        requests_per_second: per_second(now.requests, before.requests),
        errors_per_second: per_second(now.errors, before.errors),
        p50: total.quantile(0.5),
        p95: total.quantile(0.95),
        queue_p95: now.queue.since(&before.queue).quantile(0.95),
        upstream_p95: now.upstream.since(&before.upstream).quantile(0.95),
        queued: load.queued,
        in_flight: load.in_flight,
        permits: load.permits,
    }
}

impl Load {
    /// The higher queue, and the higher use of permits.
    fn most(self, other: Self) -> Self {
        let busier = if other.in_flight > self.in_flight { other } else { self };
        Self { queued: self.queued.max(other.queued), ..busier }
    }
}

/// The limiters of the configuration in service.
#[derive(Debug, Default)]
struct Limiters {
    /// The status they are of.
    status: Option<Arc<Status>>,
    limiters: Vec<Limiter>,
}

impl Limiters {
    /// Those of this status. Looked for only when it is another one: there can be thousands.
    fn of(&mut self, status: &Arc<Status>) -> &Self {
        if !self.status.as_ref().is_some_and(|known| Arc::ptr_eq(known, status)) {
            *self = Self { status: Some(status.clone()), limiters: distinct(limiters(&status.view)) };
        }
        self
    }

    fn load(&self) -> Load {
        let all = self.limiters.iter().map(Limiter::in_use).filter(|limiter| limiter.in_flight + limiter.queued > 0);
        all.fold(Load::default(), |load, limiter| Load {
            queued: load.queued + limiter.queued,
            in_flight: load.in_flight + limiter.in_flight,
            permits: load.permits.saturating_add(limiter.concurrency),
        })
    }
}

fn limiters(view: &View) -> impl Iterator<Item = &Limiter> {
    let members = view.connectors.iter().flat_map(|connector| connector.pool.members());
    members.flat_map(|member| [&member.limiter, &member.soap_limiter]).flatten()
}

/// Short enough to see a queue that empties within one point.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(2);

const SAMPLES_OF_POINT: u32 = 5;

/// The time that a point is for.
pub const POINT_INTERVAL: Duration = SAMPLE_INTERVAL.saturating_mul(SAMPLES_OF_POINT);

/// An hour.
const MAX_POINTS: usize = 360;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::{Ended, Traffic};

    #[test]
    fn a_point_tells_of_its_ten_seconds() {
        let traffic = Traffic::default();
        let count = |is_error, millis| {
            let took = Duration::from_millis(millis);
            traffic.count(Ended { is_error, total: took, queue: None, upstream: Some(took / 2) });
        };
        (0..7).for_each(|_| count(true, 60_000));
        let mut recorder = Recorder::new(traffic.counts());
        let load = |queued, in_flight| Load { queued, in_flight, permits: 5 };
        let mut sample = |load| recorder.sample(load, || traffic.counts());
        (0..19).for_each(|_| count(false, 100));
        assert!(sample(load(0, 5)).is_none());
        count(true, 4_000);
        for load in [load(9, 4), load(2, 1), load(0, 0)] {
            assert!(sample(load).is_none());
        }
        let point = sample(load(0, 0)).unwrap();
        assert_eq!((point.requests_per_second, point.errors_per_second), (2.0, 0.1));
        assert_eq!((point.queued, point.in_flight, point.permits, point.queue_p95), (9, 5, 5, None));
        let is_near =
            |time: Option<Duration>, millis: f64| (time.unwrap().as_secs_f64() * 1e3 / millis - 1.0).abs() < 0.13;
        assert!(
            is_near(point.p50, 100.0) && is_near(point.p95, 100.0) && is_near(point.upstream_p95, 50.0),
            "{point:?}"
        );
        for _ in 0..4 {
            assert!(sample(Load::default()).is_none());
        }
        let silent = sample(Load::default()).unwrap();
        assert_eq!((silent.requests_per_second, silent.p95, silent.queued), (0.0, None, 0));
    }

    #[test]
    fn the_history_is_an_hour_long() {
        let (history, traffic) = (History::default(), Traffic::default());
        for queued in 0..400 {
            let load = Load { queued, ..Load::default() };
            history.add(point(&traffic.counts(), &traffic.counts(), load));
        }
        let points = history.points();
        assert_eq!((points.len(), points.first().map(|point| point.queued)), (360, Some(40)));
    }
}
