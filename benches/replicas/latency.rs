//! What the shared store adds to a small request: one client, one request after the other, Business Central at hand.

use std::time::{Duration, Instant};

use crate::haproxy::Mode;
use crate::replicas::{AWAY, Layout, Replicas, get};
use crate::rig::Plan;
use crate::{PATH, Run, respond};

pub async fn measure(run: &Run) {
    println!("\none client, small requests");
    println!("| limits | p50 | p99 | store calls a request |");
    println!("|---|---|---|---|");
    let limits = "limits: { concurrency: 5, requests: 1000000 per 10m }";
    let layout = || Layout::new(Plan::default().connector(limits), 2, Mode::Http).timeout("50ms");
    let local = start(layout().apart()).await;
    ask(run, "local", &local).await;
    drop(local);
    let mut shared = start(layout()).await;
    ask(run, "shared", &shared).await;
    shared.store.kill().await;
    shared.event(AWAY).await;
    ask(run, "shared, store away", &shared).await;
}

async fn start(layout: Layout) -> Replicas {
    layout.start_after(|prepared| respond(prepared.simulator.business_central(), |script| script)).await
}

/// Asks one replica, without HAProxy.
async fn ask(run: &Run, name: &str, replicas: &Replicas) {
    let count = if run.is_quick { 100 } else { 10_000 };
    let (mut connection, mut latencies) = (None, Vec::with_capacity(count));
    let before = script_calls(replicas).await;
    for _ in 0..count {
        let began = Instant::now();
        let outcome = get(&mut connection, replicas.replicas[0].address, PATH, 0).await;
        latencies.push(began.elapsed());
        assert_eq!(outcome.as_deref(), Ok("200"));
    }
    let after = script_calls(replicas).await;
    latencies.sort_unstable();
    let percentile = |percent: usize| -> Duration { latencies[(count * percent / 100).min(count - 1)] };
    let milliseconds = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1000.0);
    let calls = before
        .zip(after)
        .map_or("–".to_owned(), |(before, after)| format!("{:.2}", (after - before) as f64 / count as f64));
    println!("| {name} | {} | {} | {calls} |", milliseconds(percentile(50)), milliseconds(percentile(99)));
}

/// `None` while the store is away.
async fn script_calls(replicas: &Replicas) -> Option<u64> {
    match replicas.store.is_running() {
        true => Some(replicas.store.script_calls().await),
        false => None,
    }
}
