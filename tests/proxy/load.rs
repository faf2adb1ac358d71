//! Many clients at once, before a Business Central that keeps to its limits: none of them sees an error, and none
//! starves another.

use std::time::Duration;

use bcproxy::simulator::{Latch, Matcher, Outcome, Received, Script, Simulator, ThrottleLimits, Times};
use hyper::{Method, StatusCode};

use crate::process::Process;
use crate::rig::{HeldClock, Plan, at_once, shared, within};
use crate::wire::Wire;

/// What Business Central takes of an application.
const REAL: ThrottleLimits = ThrottleLimits { concurrency: 5, requests: 6000, per: Duration::from_secs(300) };

fn strict(plan: Plan) -> Plan {
    plan.settings(|settings| settings.limits = Some(REAL))
}

fn get(path: &str, caller: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: erp\r\nUser-Agent: {caller}\r\n\r\n")
}

fn items() -> Matcher {
    Matcher::any().path_ending("/items")
}

/// Holds the first few requests back until as many as Business Central takes are there at once.
async fn meet(simulator: &Simulator, latch: &Latch) {
    let in_work = |received: &[Received]| {
        received.iter().filter(|it| it.target.ends_with("/items") && it.outcome == Outcome::Pending).count()
    };
    within(simulator.wait_for(|received| in_work(received) == REAL.concurrency)).await;
    latch.open();
}

#[tokio::test]
async fn two_hundred_clients_and_five_thousand_requests_see_no_error() {
    // With the usual rate, the last two thousand would be spread over minutes.
    let twice = ThrottleLimits { requests: 2 * REAL.requests, ..REAL };
    let plan = Plan::default().settings(|settings| settings.limits = Some(twice));
    let prepared = plan.connector("limits: { requests: 12000 per 5m }").prepare().await;
    let business_central = prepared.simulator.business_central();
    let (latch, done) = (Latch::closed(), Script::response(StatusCode::OK).send("done"));
    business_central.script(items(), Times::Next(5), done.clone().hold_head(&latch));
    business_central.script(items(), Times::Always, done);
    let mut process = Process::run(&prepared.file);
    let address = process.address().await;
    let clients = tokio::spawn(at_once(200, move |_| async move {
        let mut client = Wire::connect(address).await;
        let mut answered = 0;
        for _ in 0..25 {
            client.send(get("/api/items", "many")).await;
            let (head, body) = client.response().await;
            assert_eq!((head.status(), body.as_slice()), (StatusCode::OK, &b"done"[..]));
            answered += 1;
        }
        answered
    }));
    meet(&prepared.simulator, &latch).await;
    assert_eq!(clients.await.unwrap().iter().sum::<u32>(), 5000);
    assert_eq!(business_central.peak_concurrency(), 5, "what there is, is used");
    assert!(business_central.throttled() <= 5, "{}", business_central.throttled());
}

#[tokio::test]
async fn a_limit_that_is_tighter_than_ours_is_met_with_patience() {
    let limits = ThrottleLimits { concurrency: 2, ..REAL };
    let rig = shared(Plan::default().settings(|settings| settings.limits = Some(limits))).await;
    let latch = Latch::closed();
    let posts = Matcher::any().method(Method::POST);
    rig.simulator.business_central().script(posts, Times::Always, Script::ordinary().hold_head(&latch));
    let clients = tokio::spawn(at_once(8, {
        let rig = rig.clone();
        move |number| {
            let (rig, body) = (rig.clone(), format!(r#"{{"displayName":"Customer {number}"}}"#));
            async move { rig.post_json("/api/customers", &body).await.status }
        }
    }));
    rig.wait_for(|received| received.iter().any(|it| it.status == Some(StatusCode::TOO_MANY_REQUESTS))).await;
    latch.open();
    assert_eq!(clients.await.unwrap(), [StatusCode::CREATED; 8]);
    assert_eq!(rig.simulator.business_central().writes(), 8);
}

#[tokio::test]
async fn one_request_waits_for_one_permit_beside_a_hundred_and_fifty_of_another_client() {
    let plan = strict(Plan::default()).top("log: { format: json }");
    let prepared = plan.prepare().await;
    let latch = Latch::closed();
    let hold = Script::response(StatusCode::OK).hold_head(&latch);
    prepared.simulator.business_central().script(items(), Times::Always, hold);
    let mut process = Process::run(&prepared.file);
    let address = process.address().await;
    let flood = tokio::spawn(at_once(150, move |_| async move {
        let mut client = Wire::connect(address).await;
        for _ in 0..10 {
            client.send(get("/api/items", "report")).await;
            assert_eq!(client.response().await.0.status(), StatusCode::OK);
        }
    }));
    meet(&prepared.simulator, &latch).await;
    let mut till = Wire::connect(address).await;
    for _ in 0..20 {
        till.send(get("/api/items", "till")).await;
        assert_eq!(till.response().await.0.status(), StatusCode::OK);
    }
    within(flood).await.unwrap();
    for _ in 0..20 {
        let line = process.log_line(|line| line["user_agent"] == "till").await;
        let before = line["queue_before"].as_u64().unwrap();
        assert!(before <= 1, "{line}");
        assert!(line["queue_ms"].is_number(), "{line}");
    }
}

#[tokio::test]
async fn a_client_that_reads_nothing_holds_its_place_no_longer_than_body_idle() {
    let clock = HeldClock::new();
    let plan = Plan::default().connector("limits: { concurrency: 1 }").connector("timeouts: { body_idle: 20s }");
    let rig = shared(plan).await;
    rig.script(Times::Next(1), Script::response(StatusCode::OK).fill(64 << 20));
    let mut stalled = Wire::connect(rig.address()).await;
    stalled.send(get("/api/items", "asleep")).await;
    stalled.head().await;
    let other = tokio::spawn({
        let rig = rig.clone();
        async move { rig.get("/api/customers").await.status }
    });
    // Time passes until the one that reads nothing is cut off: only then is there a place.
    while !other.is_finished() {
        assert!(rig.received().len() <= 2);
        // Once it is, the clock hardly moves: the network takes what it needs.
        let is_cut = rig.received()[0].outcome != Outcome::Pending;
        clock.advance(Duration::from_millis(if is_cut { 1 } else { 5000 })).await;
        Wire::connect(rig.address()).await;
    }
    assert_eq!(other.await.unwrap(), StatusCode::OK);
    let (rest, _) = stalled.rest().await;
    assert!(rest.len() < 64 << 20);
    assert_eq!(rig.received()[0].outcome, Outcome::Broken);
}

#[tokio::test]
async fn an_response_that_fits_the_read_ahead_gives_its_place_back_although_nobody_reads_it() {
    let rig = shared(Plan::default().connector("limits: { concurrency: 1 }")).await;
    rig.script(Times::Next(1), Script::response(StatusCode::OK).fill(256 << 10));
    let mut slow = Wire::connect(rig.address()).await;
    slow.send(get("/api/items", "slow")).await;
    assert_eq!(rig.get("/api/customers").await.status, 200);
    slow.head().await;
    slow.count(256 << 10).await;
}
