//! What more requests in flight than Business Central works on would gain, measured on a model in virtual time:
//!
//! ```text
//! cargo test --lib concurrency_table -- --ignored --nocapture
//! ```
//!
//! The model works on five requests at a time and queues the others. Network and work take random times.

use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until};

use super::overload_tests::{DEFAULT, client, new};
use super::*;
use crate::config::{Limits, Rate};

/// Requests that arrive so often, whatever becomes of those before; or as fast as 40 clients get responses.
#[derive(Clone, Copy)]
enum Load {
    PerSecond(f64),
    Saturated,
}

/// What was measured: requests per second, and 99 of 100 requests took no longer.
struct Figures {
    per_second: f64,
    p99: Duration,
}

/// Milliseconds.
struct Model {
    network: RangeInclusive<u64>,
    work: RangeInclusive<u64>,
}

struct Run<'r> {
    limiter: Limiter,
    model: &'r Model,
    business_central: Semaphore,
    start: Instant,
    /// When each request ended, and how long it took.
    took: RefCell<Vec<(Duration, Duration)>>,
}

impl Run<'_> {
    async fn request(&self, number: u64, random: &mut fastrand::Rng) {
        let began = Instant::now();
        let mut time =
            |range: &RangeInclusive<u64>| Duration::from_micros(random.u64(range.start() * 1000..=range.end() * 1000));
        let (network, work) = (time(&self.model.network), time(&self.model.work));
        let deadline = began + Duration::from_secs(3600);
        let permit = self.limiter.acquire(client(number), deadline, Priority::New).await.unwrap();
        sleep(network / 2).await;
        let working = self.business_central.acquire().await.unwrap();
        sleep(work).await;
        drop(working);
        sleep(network / 2).await;
        drop(permit);
        self.took.borrow_mut().push((self.start.elapsed(), began.elapsed()));
    }
}

async fn measure(model: &Model, concurrency: usize, requests: Rate, load: Load) -> Figures {
    let limiter = new(Limits { concurrency, requests, ..DEFAULT });
    let (business_central, start, took) = (Semaphore::new(5), Instant::now(), RefCell::default());
    let run = &Run { limiter, model, business_central, start, took };
    match load {
        Load::Saturated => {
            let clients = (0..40).map(|number| async move {
                let mut random = fastrand::Rng::with_seed(number);
                while start.elapsed() < LENGTH {
                    run.request(number, &mut random).await;
                }
            });
            join_all(clients).await;
        }
        Load::PerSecond(rate) => {
            let (mut random, mut at) = (fastrand::Rng::with_seed(1), 0.0);
            let arrivals = std::iter::from_fn(|| {
                at -= (1.0 - random.f64()).ln() / rate;
                (at < LENGTH.as_secs_f64()).then_some(Duration::from_secs_f64(at))
            });
            let arrivals: Vec<Duration> = arrivals.collect();
            let requests = arrivals.into_iter().zip(0..).map(|(at, number)| async move {
                sleep_until(start + at).await;
                run.request(number % 40, &mut fastrand::Rng::with_seed(number)).await;
            });
            join_all(requests).await;
        }
    }
    // The burst at the beginning is not what lasts.
    let mut took = run.took.borrow().clone();
    took.retain(|(at, _)| (WARM_UP..LENGTH).contains(at));
    took.sort_by_key(|(_, took)| *took);
    Figures { per_second: took.len() as f64 / (LENGTH - WARM_UP).as_secs_f64(), p99: took[took.len() * 99 / 100].1 }
}

#[tokio::test(start_paused = true)]
#[ignore = "a measurement"]
async fn concurrency_table() {
    let unlimited = Rate { count: 1_000_000, per: Duration::from_secs(1) };
    let model = |network, work| Model { network, work };
    for (title, model) in [
        ("network 20-50 ms, work 50-400 ms", model(20..=50, 50..=400)),
        ("network 20 ms, work 400 ms", model(20..=20, 400..=400)),
        ("network 50 ms, work 50 ms", model(50..=50, 50..=50)),
    ] {
        println!(
            "{title}\n| concurrency | per second, no rate limit | p99 | per second, 6000 per 5m | p99 at 12 per second |"
        );
        for concurrency in 5..=8 {
            let free = measure(&model, concurrency, unlimited, Load::Saturated).await;
            let limited = measure(&model, concurrency, DEFAULT.requests, Load::Saturated).await;
            let calm = measure(&model, concurrency, DEFAULT.requests, Load::PerSecond(12.0)).await;
            println!(
                "| {concurrency} | {:.1} | {:.2} s | {:.1} | {:.2} s |",
                free.per_second,
                free.p99.as_secs_f64(),
                limited.per_second,
                calm.p99.as_secs_f64()
            );
        }
    }
}

const LENGTH: Duration = Duration::from_secs(1800);

const WARM_UP: Duration = Duration::from_secs(600);
