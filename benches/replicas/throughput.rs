//! Full load: what several replicas get through the limits that one would.

use std::time::{Duration, Instant};

use bcproxy::simulator::ThrottleLimits;

use crate::haproxy::Mode;
use crate::replicas::{Layout, Load, Replicas};
use crate::rig::Plan;
use crate::{PATH, Run, respond};

/// Limits, and how they are used up.
pub struct Scene {
    title: &'static str,
    limits: ThrottleLimits,
    /// How long Business Central works on a request.
    work: Duration,
    lasts: Duration,
}

/// Concurrency alone delays requests.
pub const CONCURRENCY: Scene = Scene {
    title: "5 requests at the same time, each for 100 ms",
    limits: ThrottleLimits { concurrency: 5, requests: 6000, per: Duration::from_secs(60) },
    work: Duration::from_millis(100),
    lasts: Duration::from_secs(20),
};

/// The rate alone delays requests, after its first half.
pub const RATE: Scene = Scene {
    title: "400 requests in any 10 s, each for 10 ms",
    limits: ThrottleLimits { concurrency: 5, requests: 400, per: Duration::from_secs(10) },
    work: Duration::from_millis(10),
    lasts: Duration::from_secs(40),
};

/// What one layout got.
struct Figures {
    rate: f64,
    most_in_flight: usize,
    throttled: u64,
    failed: usize,
    /// How many requests each replica had.
    shares: Vec<f64>,
    calls: f64,
    /// How often the store was too slow for a replica: a busy machine has shares of the limits instead.
    outages: f64,
}

pub async fn measure(run: &Run, scene: &Scene) {
    println!("\n{}", scene.title);
    println!(
        "| replicas | requests/s | of one | most in flight | 429 | failed | shares | store calls a request | outages |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let mut one = None;
    for (count, is_shared) in [(1, false), (1, true), (2, true), (4, true)] {
        let figures = scene.measure(run, count, is_shared).await;
        let Figures { rate, most_in_flight, throttled, failed, shares, calls, outages } = figures;
        let of_one = 100.0 * rate / *one.get_or_insert(rate);
        let all: f64 = shares.iter().sum();
        let shares: Vec<String> = shares.iter().map(|share| format!("{:.0} %", 100.0 * share / all)).collect();
        let name = if is_shared { format!("{count}") } else { format!("{count}, not shared") };
        println!(
            "| {name} | {rate:.1} | {of_one:.1} % | {most_in_flight} | {throttled} | {failed} | {} | {calls:.2} | {outages} |",
            shares.join(" ")
        );
    }
}

impl Scene {
    async fn measure(&self, run: &Run, count: usize, is_shared: bool) -> Figures {
        let ThrottleLimits { concurrency, requests, per } = self.limits;
        let limits = format!("limits: {{ concurrency: {concurrency}, requests: {requests} per {}s }}", per.as_secs());
        let plan = Plan::default().settings(|settings| settings.limits = Some(self.limits)).connector(&limits);
        let layout = Layout::new(plan, count, Mode::Http).timeout("50ms");
        let layout = if is_shared { layout } else { layout.apart() };
        let work = self.work;
        let replicas = layout
            .start_after(|prepared| respond(prepared.simulator.business_central(), |script| script.after(work)))
            .await;
        let load = Load::start(replicas.balancer.address, 40, PATH);
        load.proceed(40).await;
        let (before, began) = (each(&replicas, "bcproxy_requests_total").await, Instant::now());
        let calls = replicas.store.script_calls().await;
        tokio::time::sleep(if run.is_quick { Duration::from_secs(1) } else { self.lasts }).await;
        let (after, seconds) = (each(&replicas, "bcproxy_requests_total").await, began.elapsed().as_secs_f64());
        let calls = replicas.store.script_calls().await - calls;
        let outages = if is_shared { sum(&replicas, "bcproxy_shared_store_outages_total").await } else { 0.0 };
        let outcomes = load.end().await;
        let shares: Vec<f64> = after.iter().zip(before).map(|(after, before)| after - before).collect();
        let served: f64 = shares.iter().sum();
        Figures {
            rate: served / seconds,
            most_in_flight: replicas.simulator.business_central().peak_concurrency(),
            throttled: replicas.simulator.business_central().throttled(),
            failed: outcomes.iter().filter(|(outcome, _)| *outcome != "200").map(|(_, count)| count).sum(),
            shares,
            calls: calls as f64 / served,
            outages,
        }
    }
}

/// A metric of each replica.
async fn each(replicas: &Replicas, metric: &str) -> Vec<f64> {
    let mut values = Vec::new();
    for replica in &replicas.replicas {
        values.push(replica.metric(metric).await);
    }
    values
}

async fn sum(replicas: &Replicas, metric: &str) -> f64 {
    each(replicas, metric).await.iter().sum()
}
