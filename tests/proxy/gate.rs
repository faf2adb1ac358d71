//! Business Central takes only so much of an application at a time; what exceeds that waits its turn and sees no error.

use std::sync::Arc;

use bcproxy::simulator::{Latch, Matcher, Outcome, Received, Script, Times};
use hyper::{Method, StatusCode};

use crate::rig::{HeldClock, Plan, Rig, at_once, shared, within};
use crate::wire::Wire;

/// Holds every request for items back until the latch opens.
fn hold(rig: &Rig, latch: &Latch) {
    rig.script(Times::Always, Script::response(StatusCode::OK).hold_head(latch));
}

fn in_work(received: &[&Received]) -> usize {
    received.iter().filter(|received| received.outcome == Outcome::Pending).count()
}

async fn get_items(rig: Arc<Rig>) -> StatusCode {
    rig.get("/api/items").await.status
}

#[tokio::test]
async fn no_more_are_in_work_than_business_central_takes_and_all_are_answered() {
    let (rig, latch) = (shared(Plan::default()).await, Latch::closed());
    hold(&rig, &latch);
    let clients = tokio::spawn(at_once(30, {
        let rig = rig.clone();
        move |_| get_items(rig.clone())
    }));
    rig.wait_for(|received| in_work(received) == 5).await;
    // SOAP calls and other environments have places of their own.
    assert_eq!(rig.call_soap("/soap/Codeunit/Tools").await.status, 200);
    assert_eq!(in_work(&rig.received().iter().collect::<Vec<_>>()), 5);
    let most = tokio::spawn({
        let rig = rig.clone();
        async move {
            let mut most = 0;
            rig.wait_for(|received| {
                most = most.max(in_work(received));
                received.len() == 31 && in_work(received) == 0
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
async fn connectors_of_one_application_share_its_places_and_the_tightest_limit_holds() {
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
    rig.wait_for(|received| in_work(received) == 2).await;
    latch.open();
    assert_eq!(within(clients).await.unwrap(), [StatusCode::OK; 8]);
}

#[tokio::test]
async fn without_limits_nothing_waits() {
    let (rig, latch) = (shared(Plan::default().connector("limits: off")).await, Latch::closed());
    hold(&rig, &latch);
    let clients = tokio::spawn(at_once(12, {
        let rig = rig.clone();
        move |_| get_items(rig.clone())
    }));
    rig.wait_for(|received| in_work(received) == 12).await;
    latch.open();
    assert_eq!(within(clients).await.unwrap(), [StatusCode::OK; 12]);
}

#[tokio::test]
async fn who_finds_no_place_is_told_when_to_come_back() {
    let clock = HeldClock::new();
    let plan = Plan::default().connector("limits: { concurrency: 1, queue: 1, wait: 20s }");
    let (rig, latch) = (shared(plan).await, Latch::closed());
    hold(&rig, &latch);
    let in_work = tokio::spawn(get_items(rig.clone()));
    rig.wait_for(|received| !received.is_empty()).await;
    let mut waiting = Wire::connect(rig.address()).await;
    waiting.send("GET /api/items HTTP/1.1\r\nHost: erp\r\n\r\n").await;

    // Either of the two may come first; the other finds the queue full.
    let refusal = loop {
        let refused = tokio::select! {
            answer = rig.get("/api/items") => answer,
            (head, _) = waiting.answer() => {
                assert_eq!(head.status(), StatusCode::TOO_MANY_REQUESTS);
                waiting.send("GET /api/items HTTP/1.1\r\nHost: erp\r\n\r\n").await;
                continue;
            }
        };
        break refused;
    };
    let said = refusal.refusal();
    assert_eq!((said.status, said.code.as_str()), (429, "Proxy_Busy"), "{}", said.message);
    assert!(said.message.contains("`queue`") && said.message.contains("Nothing was carried out"), "{}", said.message);
    assert!((1..=600).contains(&refusal.retry_after()));

    clock.advance(std::time::Duration::from_secs(20)).await;
    let (head, body) = waiting.answer().await;
    assert_eq!(head.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(String::from_utf8_lossy(&body).contains("`wait`"));
    latch.open();
    assert_eq!(within(in_work).await.unwrap(), StatusCode::OK);
    assert_eq!(rig.received().len(), 1);
}

#[tokio::test]
async fn a_client_that_leaves_the_queue_is_not_carried_out() {
    let plan = Plan::default().connector("limits: { concurrency: 1, queue: 1 }");
    let (rig, latch) = (shared(plan).await, Latch::closed());
    hold(&rig, &latch);
    let in_work = tokio::spawn(get_items(rig.clone()));
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
    leaves.reset();
    latch.open();
    assert_eq!(within(in_work).await.unwrap(), StatusCode::OK);
    // Its place is free again, for one who stays.
    assert_eq!(rig.get("/api/items").await.status, 200);
}

#[tokio::test]
async fn a_slow_answer_keeps_its_place_to_its_last_byte_and_a_client_that_leaves_gives_it_back() {
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
    assert_eq!(rig.received().len(), 1, "the first one's answer has not ended");
    latch.open();
    stays.count(head.header("content-length").unwrap().parse().unwrap()).await;
    leaves.head().await;
    leaves.reset();
    assert_eq!(within(third).await.unwrap(), StatusCode::OK);
}

#[tokio::test]
async fn a_429_pauses_the_gate_and_is_retried_unseen() {
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
    // The others wait as well: the application is what is limited.
    assert_eq!(rig.call_soap("/soap/Codeunit/Tools").await.status, 200);
    assert_eq!(rig.received().len(), 2);
    clock.advance(std::time::Duration::from_secs(7)).await;
    assert_eq!(within(write).await.unwrap(), StatusCode::CREATED);
    within(other).await.unwrap();
    assert_eq!(rig.simulator.business_central().writes(), 1);
}

#[tokio::test]
async fn a_429_that_can_not_be_waited_for_says_what_to_change() {
    let rig = Plan::default().connector("limits: off").start().await;
    let busy = Script::busy(StatusCode::TOO_MANY_REQUESTS, Some(600));
    rig.simulator.business_central().script(Matcher::any().path_ending("/customers"), Times::Next(1), busy);
    let answer = rig.get("/api/customers").await;
    assert_eq!((answer.status.as_u16(), &answer.headers["retry-after"]), (429, &"600".parse().unwrap()));
    let said = answer.headers["proxy-status"].to_str().unwrap();
    assert!(said.starts_with("bcproxy; received-status=429; details=\"") && said.contains("`limits: off`"), "{said}");
}
