//! The limiter under more load than the rate allows, in virtual time, in front of a model of Business Central.

use std::cell::RefCell;
use std::net::Ipv4Addr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use super::*;
use crate::config::{Limits, Rate};

const MINUTE: Duration = Duration::from_secs(60);
const PER: Duration = Duration::from_secs(300);
pub(super) const DEFAULT: Limits =
    Limits { concurrency: 5, requests: Rate { count: 6000, per: PER }, queue: 10_000, wait: Duration::from_secs(90) };

const APPLICATION: &str = "00000000-0000-0000-0000-000000000001";

pub(super) fn new(limits: Limits) -> Limiter {
    Limiter::new(limits, tests::scope(), APPLICATION.parse().unwrap())
}

pub(super) fn client(number: u64) -> ClientKey {
    ClientKey::new(Ipv4Addr::LOCALHOST.into(), NonZeroUsize::MIN, number)
}

/// What clients and the model of Business Central saw, as the time since the start.
#[derive(Default)]
struct Seen {
    served: RefCell<Vec<(Duration, usize)>>,
    arrived: RefCell<Vec<Duration>>,
}

fn milliseconds(random: &mut fastrand::Rng, range: std::ops::RangeInclusive<u64>) -> Duration {
    Duration::from_millis(random.u64(range))
}

/// Forty clients that each send a request as soon as the one before is answered.
async fn overload(limiter: &Limiter, length: Duration) -> Seen {
    let (seen, start) = (Seen::default(), Instant::now());
    let clients = (0..40).map(|number| {
        let seen = &seen;
        async move {
            let mut random = fastrand::Rng::with_seed(number);
            let client = client(number);
            while start.elapsed() < length {
                let deadline = Instant::now() + DEFAULT.wait;
                let permit = limiter.acquire(client, deadline, Priority::New).await.unwrap();
                seen.served.borrow_mut().push((start.elapsed(), number as usize));
                // One in a thousand is on its way for seconds, because its first packets were lost.
                let is_late = random.u32(0..1000) == 0;
                sleep(milliseconds(&mut random, if is_late { 3000..=7000 } else { 10..=25 })).await;
                seen.arrived.borrow_mut().push(start.elapsed());
                sleep(milliseconds(&mut random, 20..=250)).await;
                drop(permit);
            }
        }
    });
    join_all(clients).await;
    seen.arrived.borrow_mut().sort();
    seen
}

#[tokio::test(start_paused = true)]
async fn an_hour_of_overload_after_a_burst_has_no_stall_and_uses_the_whole_rate() {
    let limiter = new(DEFAULT);
    let seen = overload(&limiter, 60 * MINUTE).await;
    let (served, arrived) = (seen.served.into_inner(), seen.arrived.into_inner());

    let pauses = served.windows(2).map(|pair| pair[1].0 - pair[0].0);
    let longest = pauses.max().unwrap();
    assert!(longest <= Duration::from_secs(1), "{longest:?} without a permit");

    let closest = arrived.windows(6001).map(|arrived| arrived[6000] - arrived[0]).min().unwrap();
    assert!(closest >= PER, "6,001 arrived within {closest:?}");

    let mut least = usize::MAX;
    for second in 600..=3600 - 300 {
        let (from, to) = (Duration::from_secs(second), Duration::from_secs(second) + PER);
        let within = arrived.partition_point(|at| *at < to) - arrived.partition_point(|at| *at < from);
        least = least.min(within);
    }
    assert!(least >= 5880, "only {least} arrived in five minutes");

    let mut by_client = [0; 40];
    served.iter().for_each(|(_, client)| by_client[*client] += 1);
    let (fewest, most) = (by_client.iter().min().unwrap(), by_client.iter().max().unwrap());
    assert!(most - fewest <= most / 50, "the clients got from {fewest} to {most} permits");
    println!("{} served; longest pause {longest:?}; at least {least} in 5 min; 6,001 within {closest:?}", served.len());
}

#[tokio::test(start_paused = true)]
async fn half_of_the_rate_is_free_at_once_from_idle() {
    let limiter = new(DEFAULT);
    let start = Instant::now();
    for _ in 0..3000 {
        drop(limiter.acquire(client(1), start, Priority::New).await.unwrap());
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
}

/// What was logged, line by line.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn lines(&self) -> Vec<String> {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap().lines().map(str::to_owned).collect()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn waits_because_of_the_rate_are_told_once_at_their_start_and_once_at_their_end() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().without_time().with_ansi(false).with_writer(move || writer.clone());
    let _guard = tracing::subscriber::set_default(subscriber.finish());
    // With a single subscriber, a line that another test reaches first is off for all threads.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let limiter = new(DEFAULT);

    // A hundred requests more than are free at once wait for ten seconds, and again after twenty.
    let burst = async |count| {
        let pass =
            |_| async { drop(limiter.acquire(client(1), Instant::now() + MINUTE, Priority::New).await.unwrap()) };
        join_all((0..count).map(pass)).await;
    };
    burst(3040).await;
    sleep(MINUTE).await;
    assert_eq!(log.lines(), [""; 0], "four seconds are not worth a line");
    for _ in 0..2 {
        burst(100).await;
        sleep(Duration::from_secs(20)).await;
    }
    let lines = log.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    for part in ["WARN", "wait because of the rate limit", "6000 per 300 s", "Production", APPLICATION, "API and OData"]
    {
        assert!(lines[0].contains(part), "{part} in {}", lines[0]);
    }
    let told = limiter.state().rate_limited.unwrap();
    assert!((45..65).contains(&told.lasts.as_secs()), "{told:?}");

    sleep(2 * MINUTE).await;
    assert!(limiter.state().rate_limited.is_none());
    let lines = log.lines();
    assert!(lines.len() == 2 && lines[1].contains("INFO") && lines[1].contains("no longer wait"), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn waits_for_a_permit_to_be_released_or_a_pause_to_end_are_not_the_rates() {
    let limiter = new(DEFAULT);
    let permits = join_all((0..5).map(|_| limiter.acquire(client(1), Instant::now(), Priority::New))).await;
    let waiting = limiter.acquire(client(1), Instant::now() + MINUTE, Priority::New);
    let release = async {
        sleep(MINUTE / 4).await;
        assert!(limiter.state().rate_limited.is_none());
        limiter.pause(MINUTE / 4);
        drop(permits);
        sleep(MINUTE / 6).await;
        assert!(limiter.state().rate_limited.is_none());
    };
    let (waited, ()) = tokio::join!(waiting, release);
    assert_eq!(waited.unwrap().waited, MINUTE / 2);
}
