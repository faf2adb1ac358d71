//! Identical reads at the same time share one request, and none of those who share it has to suffer for another.

use std::sync::Arc;

use bcproxy::simulator::{Framing, Latch, Outcome, Received, Script, Times};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, StatusCode};
use tokio::task::JoinHandle;

use crate::rig::{ClientResponse, HeldClock, Plan, Rig, at_once, shared, within};
use crate::wire::Wire;

const ROUTES: &str = "routes:
  - { path: /api, to: api/v2.0, cache: 24h }
  - { path: /plain, to: api/v2.0 }
";

const GET: &str = "GET /api/items HTTP/1.1\r\nHost: erp\r\n\r\n";

async fn rig() -> Arc<Rig> {
    shared(Plan::default().top(ROUTES)).await
}

/// A request that is on its way, on a connection of its own.
async fn asks(rig: &Rig) -> Wire {
    let mut client = Wire::connect(rig.address()).await;
    client.send(GET).await;
    client
}

/// Ends when everything that was sent to the proxy has been looked at: what is asked afterwards on the same thread has
/// its answer.
async fn settled(rig: &Rig) {
    for _ in 0..50 {
        let mut client = Wire::connect(rig.address()).await;
        client.send("GET /nowhere HTTP/1.1\r\nHost: erp\r\n\r\n").await;
        client.head().await;
    }
}

fn uses(responses: &[ClientResponse], what: &str) -> usize {
    let is_so = |response: &&ClientResponse| response.headers["cache-status"].to_str().unwrap().contains(what);
    responses.iter().filter(is_so).count()
}

fn json(body: &'static str) -> Script {
    Script::response(StatusCode::OK).header(CONTENT_TYPE, HeaderValue::from_static("application/json")).send(body)
}

fn pending(received: &[&Received]) -> usize {
    received.iter().filter(|received| received.outcome == Outcome::Pending).count()
}

/// So many clients ask for the same.
fn ask_at_once(count: usize, rig: &Arc<Rig>) -> JoinHandle<Vec<ClientResponse>> {
    let rig = rig.clone();
    tokio::spawn(at_once(count, move |_| {
        let rig = rig.clone();
        async move { rig.get("/api/items").await }
    }))
}

#[tokio::test]
async fn a_thousand_identical_reads_at_once_are_one_request() {
    let (rig, latch) = (rig().await, Latch::closed());
    rig.script(Times::Always, json("{\"value\":[]}").hold_head(&latch));
    let clients = ask_at_once(1000, &rig);
    rig.wait_for(|received| received.len() == 1).await;
    settled(&rig).await;
    latch.open();
    let responses = within(clients).await.unwrap();
    assert!(responses.iter().all(|response| response.status == 200 && response.body == responses[0].body));
    assert_eq!(responses[0].text(), "{\"value\":[]}");
    assert_eq!(rig.received().len(), 1);
    assert_eq!(uses(&responses, "fwd=miss; stored"), 1);
    assert!(uses(&responses, "collapsed") > 1);
}

#[tokio::test]
async fn a_client_that_disconnects_does_not_affect_the_others() {
    let (rig, latch) = (rig().await, Latch::closed());
    rig.script(Times::Always, json("{}").hold_head(&latch));
    let first = asks(&rig).await;
    rig.wait_for(|received| received.len() == 1).await;
    let mut second = asks(&rig).await;
    settled(&rig).await;
    first.reset();
    settled(&rig).await;
    latch.open();
    let (head, body) = second.response().await;
    assert_eq!((head.status(), body.as_slice()), (StatusCode::OK, &b"{}"[..]));
    assert_eq!(rig.received().len(), 1);
    assert_eq!(rig.received()[0].outcome, Outcome::Answered);
}

#[tokio::test]
async fn a_request_nobody_waits_for_any_more_is_given_up() {
    let (rig, latch) = (rig().await, Latch::closed());
    rig.script(Times::Next(1), json("{}").hold_head(&latch));
    let (first, second) = (asks(&rig).await, asks(&rig).await);
    rig.wait_for(|received| received.len() == 1).await;
    first.reset();
    second.reset();
    rig.wait_for(|received| received[0].outcome == Outcome::Broken).await;
    // Nothing is left of it: the next one asks anew.
    assert_eq!(rig.get("/api/items").await.status, 200);
    assert_eq!(rig.received().len(), 2);
}

#[tokio::test]
async fn a_failure_is_the_same_for_all_and_is_not_multiplied() {
    for fails in [
        Script::error(StatusCode::GATEWAY_TIMEOUT, "Timeout", "Too slow."),
        Script::error(StatusCode::INTERNAL_SERVER_ERROR, "Internal_ServerError", "No."),
        json("{\"value\":").cut(),
    ] {
        let rig = shared(Plan::default().top(ROUTES).connector("limits: { wait: 1ms }")).await;
        let latch = Latch::closed();
        rig.script(Times::Always, fails.hold_head(&latch));
        let clients = ask_at_once(20, &rig);
        rig.wait_for(|received| received.len() == 1).await;
        settled(&rig).await;
        latch.open();
        let responses = within(clients).await.unwrap();
        assert!(
            responses
                .iter()
                .all(|response| response.status.is_server_error() && response.status == responses[0].status)
        );
        // Whoever came after the failure asked once more for himself.
        assert_eq!(rig.received().len(), 1);
    }
}

#[tokio::test]
async fn a_rejected_fetch_blocks_no_client_that_shared_it() {
    let clock = HeldClock::new();
    let plan = Plan::default().top(ROUTES).connector("limits: { concurrency: 1, wait: 20s }");
    let (rig, latch) = (shared(plan).await, Latch::closed());
    rig.script(Times::Next(1), json("{}").hold_head(&latch));
    let held = tokio::spawn({
        let rig = rig.clone();
        async move { rig.get("/plain/items").await.status }
    });
    rig.wait_for(|received| received.len() == 1).await;
    let mut first = asks(&rig).await;
    settled(&rig).await;
    clock.advance(std::time::Duration::from_secs(15)).await;
    let mut second = asks(&rig).await;
    settled(&rig).await;
    clock.advance(std::time::Duration::from_secs(5)).await;
    assert_eq!(first.response().await.0.status(), StatusCode::TOO_MANY_REQUESTS);
    latch.open();
    assert_eq!(within(held).await.unwrap(), StatusCode::OK);
    assert_eq!(second.response().await.0.status(), StatusCode::OK);
}

#[tokio::test]
async fn an_response_that_is_too_large_to_be_shared_streams_to_one_and_the_others_ask_for_themselves() {
    let (rig, head, rest) = (rig().await, Latch::closed(), Latch::closed());
    let large = || Script::response(StatusCode::OK).framing(Framing::Chunked).fill(3 << 19);
    rig.script(Times::Next(1), large().hold(&rest).send("end").hold_head(&head));
    rig.script(Times::Always, large().send("end"));
    let mut clients = [asks(&rig).await, asks(&rig).await, asks(&rig).await];
    rig.wait_for(|received| received.len() == 1).await;
    settled(&rig).await;
    head.open();
    // The first answer goes on only when the two others have asked.
    rig.wait_for(|received| received.len() == 3).await;
    rest.open();
    for client in &mut clients {
        let (head, body) = client.response().await;
        assert_eq!(head.status(), StatusCode::OK);
        assert_eq!(body.len(), (3 << 19) + 3);
        assert!(body.ends_with(b"end"));
    }
    // From now on nobody waits for the others to find that out.
    assert_eq!(rig.get("/api/items").await.headers["cache-status"], "bcproxy; fwd=bypass; detail=response");
}

#[tokio::test]
async fn a_client_that_reads_nothing_holds_up_nobody() {
    let rig = shared(Plan::default().top(ROUTES).connector("limits: { concurrency: 1 }")).await;
    let latch = Latch::closed();
    let large = Script::response(StatusCode::OK).fill(1 << 20);
    rig.script(Times::Next(1), large.hold_head(&latch));
    let (mut slow, mut quick) = (asks(&rig).await, asks(&rig).await);
    rig.wait_for(|received| pending(received) == 1).await;
    settled(&rig).await;
    latch.open();
    slow.head().await;
    quick.head().await;
    quick.count(1 << 20).await;
    // The place at Business Central is free although one has read nothing of its answer.
    assert_eq!(rig.send(Method::GET, "/plain/items", &[], "").await.status, 200);
    slow.count(1 << 20).await;
    assert_eq!(rig.received().len(), 2);
}

#[tokio::test]
async fn whoever_shares_an_response_gets_it_turned_for_himself() {
    let (rig, latch) = (rig().await, Latch::closed());
    rig.script(Times::Next(1), Script::ordinary().hold_head(&latch));
    let mut clients = Vec::new();
    for host in ["erp", "oldserver:7047"] {
        let mut client = Wire::connect(rig.address()).await;
        client.send(format!("GET /api/items HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        clients.push((host, client));
    }
    rig.wait_for(|received| received.len() == 1).await;
    settled(&rig).await;
    latch.open();
    for (host, mut client) in clients {
        let body = String::from_utf8(client.response().await.1).unwrap();
        assert!(body.contains(&format!("\"http://{host}/api/$metadata#")), "{body}");
    }
    assert_eq!(rig.received().len(), 1);
}
