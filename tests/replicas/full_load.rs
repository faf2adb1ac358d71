//! Replicas at full load behave like one: never more than the limits, and no permit left unused.

use std::time::Duration;

use bcproxy::simulator::{Latch, Matcher, Script, ThrottleLimits, Times};
use hyper::StatusCode;

use crate::haproxy::Mode;
use crate::replicas::{Layout, Load, Replicas};
use crate::rig::{Plan, within};

const PATH: &str = "/api/items";

fn items() -> Matcher {
    Matcher::any().path_ending("/items")
}

/// Microsoft's limits, with a rate in a short time.
const STRICT: ThrottleLimits = ThrottleLimits { concurrency: 5, requests: 200, per: Duration::from_secs(2) };

/// Replicas in front of a Business Central with these limits, which they know.
async fn start(count: usize, limits: ThrottleLimits) -> Replicas {
    let ThrottleLimits { concurrency, requests, per } = limits;
    let plan = Plan::default()
        .settings(|settings| settings.limits = Some(limits))
        .connector(&format!("limits: {{ concurrency: {concurrency}, requests: {requests} per {}s }}", per.as_secs()));
    Layout::new(plan, count, Mode::Http).start().await
}

async fn at_full_load(count: usize) {
    let replicas = start(count, STRICT).await;
    let business_central = replicas.simulator.business_central();
    let (latch, response) = (Latch::closed(), Script::response(StatusCode::OK).send("done"));
    business_central.script(items(), Times::Next(STRICT.concurrency as u32), response.clone().hold_head(&latch));
    business_central.script(items(), Times::Always, response);
    let load = Load::start(replicas.balancer.address, 40, PATH);
    replicas.in_flight(STRICT.concurrency as u64).await;
    latch.open();
    // Several windows.
    load.proceed(5 * STRICT.requests as u64).await;
    let outcomes = load.end().await;
    assert_eq!(outcomes.keys().collect::<Vec<_>>(), ["200"], "{outcomes:?}");
    assert_eq!(business_central.throttled(), 0, "no window and no moment has too many");
    assert_eq!(business_central.peak_concurrency(), STRICT.concurrency, "what there is, is used");
    for replica in &replicas.replicas {
        replica.served(STRICT.requests as u32 / 4).await;
    }
}

#[tokio::test]
#[ignore = "needs redis-server and haproxy"]
async fn two_replicas_keep_the_limits_of_one() {
    at_full_load(2).await;
}

#[tokio::test]
#[ignore = "needs redis-server and haproxy"]
async fn four_replicas_keep_the_limits_of_one() {
    at_full_load(4).await;
}

#[tokio::test]
#[ignore = "needs redis-server and haproxy"]
async fn a_replica_without_other_load_gets_all_permits() {
    let replicas = start(3, STRICT).await;
    let latch = Latch::closed();
    let hold = Script::response(StatusCode::OK).hold_head(&latch);
    replicas.simulator.business_central().script(items(), Times::Always, hold);
    let load = Load::start(replicas.replicas[1].address, 12, PATH);
    within(async { while replicas.replicas[1].limiter().await != (5, 7) {} }).await;
    // Another one has its first request queued, and gets the next permit.
    let other = Load::start(replicas.replicas[2].address, 1, PATH);
    within(async { while replicas.replicas[2].limiter().await != (0, 1) {} }).await;
    latch.open();
    other.proceed(5).await;
    load.proceed(5).await;
    assert_eq!(other.end().await.keys().collect::<Vec<_>>(), ["200"]);
    assert_eq!(load.end().await.keys().collect::<Vec<_>>(), ["200"]);
}

#[tokio::test]
#[ignore = "needs redis-server and haproxy"]
async fn a_pause_that_business_central_demands_of_one_replica_holds_for_all() {
    let replicas = start(3, STRICT).await;
    let busy = Script::busy(StatusCode::TOO_MANY_REQUESTS, Some(60));
    replicas.simulator.business_central().script(items(), Times::Next(1), busy);
    let first = Load::start(replicas.replicas[0].address, 1, PATH);
    within(async { while !replicas.replicas[0].is_paused().await {} }).await;
    // The others learn of it when they ask for a permit.
    for replica in &replicas.replicas[1..] {
        let _load = Load::start(replica.address, 1, PATH);
        within(async { while !replica.is_paused().await || replica.limiter().await != (0, 1) {} }).await;
    }
    drop(first);
    let received = replicas.simulator.received();
    assert_eq!(received.iter().filter(|received| received.target.ends_with("/items")).count(), 1);
}
