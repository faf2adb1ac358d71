//! Requests beyond Business Central's limits are queued, and their clients see no error.

use std::sync::Arc;

use bcproxy::simulator::{Latch, Matcher, Outcome, Received, Script, Times};
use hyper::{Method, StatusCode};

use crate::rig::{HeldClock, Plan, Rig, at_once, shared, within};
use crate::wire::Wire;

/// Holds back the response to every request for items until the latch opens.
fn hold(rig: &Rig, latch: &Latch) {
    rig.script(Times::Always, Script::response(StatusCode::OK).hold_head(latch));
}

fn in_flight(received: &[&Received]) -> usize {
    received.iter().filter(|received| received.outcome == Outcome::Pending).count()
}

async fn get_items(rig: Arc<Rig>) -> StatusCode {
    rig.get("/api/items").await.status
}

#[tokio::test]
async fn no_more_requests_are_in_flight_than_business_central_accepts_and_all_are_answered() {
    let (rig, latch) = (shared(Plan::default()).await, Latch::closed());
    hold(&rig, &latch);
    let clients = tokio::spawn(at_once(30, {
        let rig = rig.clone();
        move |_| get_items(rig.clone())
    }));
    assert_eq!(rig.limiter_at(30).await, (5, 25));
    rig.wait_for(|received| in_flight(received) == 5).await;
    // SOAP calls have a limiter of their own.
    assert_eq!(rig.call_soap("/soap/Codeunit/Tools").await.status, 200);
    assert_eq!(in_flight(&rig.received().iter().collect::<Vec<_>>()), 5);
    let most = tokio::spawn({
        let rig = rig.clone();
        async move {
            let mut most = 0;
            rig.wait_for(|received| {
                most = most.max(in_flight(received));
                received.len() == 31 && in_flight(received) == 0
            })
            .await;
            most
        }
    });
    latch.open();
    assert_eq!(within(clients).await.unwrap(), [StatusCode::OK; 30]);
    assert!(most.await.unwrap() <= 5);
}

#[tokio::test]
async fn connectors_of_one_application_share_its_permits_and_the_tightest_limit_applies() {
    let plan = Plan::default()
        .connector("limits: { concurrency: 3 }")
        .another_connector("other", &["limits: { concurrency: 2 }"])
        .top("routes: [ { path: /a, to: api/v2.0, connector: cronus }, { path: /b, to: api/v2.0, connector: other } ]");
    let (rig, latch) = (shared(plan).await, Latch::closed());
    hold(&rig, &latch);
    let clients = tokio::spawn(at_once(8, {
        let rig = rig.clone();
        move |number| {
            let rig = rig.clone();
            async move { rig.get(["/a/items", "/b/items"][number % 2]).await.status }
        }
    }));
    // All eight are there, so none that should be queued is merely late.
    assert_eq!(rig.limiter_at(8).await, (2, 6));
    rig.wait_for(|received| in_flight(received) == 2).await;
    latch.open();
    assert_eq!(within(clients).await.unwrap(), [StatusCode::OK; 8]);
    assert_eq!(rig.simulator.business_central().peak_concurrency(), 2);
}

#[tokio::test]
async fn without_limits_nothing_is_queued() {
    let (rig, latch) = (shared(Plan::default().connector("limits: off")).await, Latch::closed());
    hold(&rig, &latch);
    let clients = tokio::spawn(at_once(12, {
        let rig = rig.clone();
        move |_| get_items(rig.clone())
    }));
    rig.wait_for(|received| in_flight(received) == 12).await;
    latch.open();
    assert_eq!(within(clients).await.unwrap(), [StatusCode::OK; 12]);
}

#[tokio::test]
async fn a_429_for_a_full_queue_says_when_to_retry() {
    let clock = HeldClock::new();
    let plan = Plan::default().connector("limits: { concurrency: 1, queue: 1, wait: 20s }");
    let (rig, latch) = (shared(plan).await, Latch::closed());
    hold(&rig, &latch);
    let in_flight = tokio::spawn(get_items(rig.clone()));
    rig.wait_for(|received| !received.is_empty()).await;
    let mut waiting = Wire::connect(rig.address()).await;
    waiting.send("GET /api/items HTTP/1.1\r\nHost: erp\r\n\r\n").await;

    // Either of the two may arrive first; the other finds the queue full.
    let rejected = loop {
        let response = tokio::select! {
            response = rig.get("/api/items") => response,
            (head, _) = waiting.response() => {
                assert_eq!(head.status(), StatusCode::TOO_MANY_REQUESTS);
                waiting.send("GET /api/items HTTP/1.1\r\nHost: erp\r\n\r\n").await;
                continue;
            }
        };
        break response;
    };
    let said = rejected.rejection();
    assert_eq!((said.status, said.code.as_str()), (429, "Proxy_Busy"), "{}", said.message);
    assert!(said.message.contains("`queue`") && said.message.contains("Nothing was carried out"), "{}", said.message);
    assert!((1..=600).contains(&rejected.retry_after()));

    clock.advance(std::time::Duration::from_secs(20)).await;
    let (head, body) = waiting.response().await;
    assert_eq!(head.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(String::from_utf8_lossy(&body).contains("`wait`"));
    latch.open();
    assert_eq!(within(in_flight).await.unwrap(), StatusCode::OK);
    assert_eq!(rig.received().len(), 1);
}

#[tokio::test]
async fn a_queued_request_is_dropped_when_its_client_disconnects() {
    let plan = Plan::default().connector("limits: { concurrency: 1, queue: 1 }");
    let (rig, latch) = (shared(plan).await, Latch::closed());
    hold(&rig, &latch);
    let in_flight = tokio::spawn(get_items(rig.clone()));
    rig.wait_for(|received| !received.is_empty()).await;
    let mut leaves = Wire::connect(rig.address()).await;
    let body = r#"{"displayName":"Never"}"#;
    let kind = "Content-Type: application/json";
    leaves
        .send(format!(
            "POST /api/customers HTTP/1.1\r\nHost: erp\r\n{kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await;
    assert_eq!(rig.limiter_at(2).await, (1, 1));
    leaves.reset();
    assert_eq!(rig.limiter_at(1).await, (1, 0));
    latch.open();
    assert_eq!(within(in_flight).await.unwrap(), StatusCode::OK);
    // Its place in the queue is free again.
    assert_eq!(rig.get("/api/items").await.status, 200);
    assert_eq!(rig.simulator.business_central().writes(), 0);
}

#[tokio::test]
async fn a_slow_response_keeps_its_permit_to_its_last_byte_and_a_disconnect_releases_it() {
    let plan = Plan::default().connector("limits: { concurrency: 1 }");
    let (rig, latch) = (shared(plan).await, Latch::closed());
    let slow = Script::response(StatusCode::OK).send("begun").hold(&latch).fill(4 << 20);
    rig.script(Times::Next(1), slow.clone());
    rig.script(Times::Next(1), slow);
    let mut stays = Wire::connect(rig.address()).await;
    stays.send("GET /api/items HTTP/1.1\r\nHost: erp\r\n\r\n").await;
    let head = stays.head().await;
    let mut leaves = Wire::connect(rig.address()).await;
    leaves.send("GET /api/items HTTP/1.1\r\nHost: erp\r\n\r\n").await;
    let third = tokio::spawn({
        let rig = rig.clone();
        async move { rig.send(Method::GET, "/api/customers", &[], "").await.status }
    });
    assert_eq!(rig.limiter_at(3).await, (1, 2), "the first response has not ended");
    assert_eq!(rig.received().len(), 1);
    latch.open();
    stays.count(head.header("content-length").unwrap().parse().unwrap()).await;
    leaves.head().await;
    leaves.reset();
    assert_eq!(within(third).await.unwrap(), StatusCode::OK);
}

#[tokio::test]
async fn a_429_pauses_the_limiter_and_is_retried_unseen() {
    let clock = HeldClock::new();
    let rig = shared(Plan::default()).await;
    let busy = Script::busy(StatusCode::TOO_MANY_REQUESTS, Some(7));
    rig.simulator.business_central().script(Matcher::any().path_ending("/customers"), Times::Next(1), busy);
    let write = tokio::spawn({
        let rig = rig.clone();
        async move { rig.post_json("/api/customers", r#"{"displayName":"Patience Ltd."}"#).await.status }
    });
    rig.wait_for(|received| received.first().is_some_and(|first| first.outcome == Outcome::Answered)).await;
    let other = tokio::spawn(get_items(rig.clone()));
    assert_eq!(rig.limiter_at(2).await, (0, 2));
    // The limit is the application's, so its other requests wait too.
    assert_eq!(rig.call_soap("/soap/Codeunit/Tools").await.status, 200);
    assert_eq!(rig.received().len(), 2);
    clock.advance(std::time::Duration::from_secs(7)).await;
    assert_eq!(within(write).await.unwrap(), StatusCode::CREATED);
    within(other).await.unwrap();
    assert_eq!(rig.simulator.business_central().writes(), 1);
}

#[tokio::test]
async fn a_429_without_a_limiter_says_what_to_change() {
    let rig = Plan::default().connector("limits: off").start().await;
    let busy = Script::busy(StatusCode::TOO_MANY_REQUESTS, Some(600));
    rig.simulator.business_central().script(Matcher::any().path_ending("/customers"), Times::Next(1), busy);
    let response = rig.get("/api/customers").await;
    assert_eq!((response.status.as_u16(), &response.headers["retry-after"]), (429, &"600".parse().unwrap()));
    let said = response.headers["proxy-status"].to_str().unwrap();
    assert!(said.starts_with("bcproxy; received-status=429; details=\"") && said.contains("`limits: off`"), "{said}");
}

#[tokio::test]
async fn a_route_with_weight_n_is_served_n_times_as_often_and_keeps_nothing_back() {
    let plan = Plan::default().connector("limits: { concurrency: 1 }").top(
        "routes: [ { path: /till, to: api/v2.0, weight: 3 }, { path: /export, to: api/v2.0 }, { path: /x, to: api/v2.0 } ]",
    );
    let (rig, latch) = (shared(plan).await, Latch::closed());
    rig.script(Times::Next(1), Script::response(StatusCode::OK).hold_head(&latch));
    let get = |path: &'static str, count| {
        let rig = rig.clone();
        tokio::spawn(at_once(count, move |_| {
            let rig = rig.clone();
            async move { rig.get(path).await.status }
        }))
    };
    let first = get("/x/items", 1);
    rig.wait_for(|received| received.len() == 1).await;
    let export = get("/export/customers?$top=1", 8);
    assert_eq!(rig.limiter_at(9).await, (1, 8));
    let till = get("/till/items", 6);
    assert_eq!(rig.limiter_at(15).await, (1, 14));
    latch.open();
    within(first).await.unwrap();
    assert_eq!(within(export).await.unwrap(), [StatusCode::OK; 8]);
    within(till).await.unwrap();
    let served: String = rig.received().iter().map(|it| if it.target.contains("/items") { 'T' } else { 'E' }).collect();
    assert_eq!(served, "TETTTETTTEEEEEE", "the export takes its turn, and all of them when nothing else waits");
}
