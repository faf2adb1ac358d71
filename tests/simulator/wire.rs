//! Scripted responses, broken connections, latches and many clients.

use std::collections::BTreeSet;

use bcproxy::simulator::{Break, Framing, Latch, Matcher, Outcome, Script, Settings, Simulator, Times};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{World, raw_connection};

#[tokio::test]
async fn a_cut_response_is_recognizable_in_every_framing() {
    let world = World::new().await;
    for framing in [Framing::ContentLength, Framing::Chunked, Framing::Close] {
        let cut = Script::response(StatusCode::OK).framing(framing).send("begun").cut();
        world.simulator.business_central().script(Matcher::any(), Times::Next(1), cut);
        let mut response = world.get(&world.customers()).await;
        assert_eq!(response.chunk().await.unwrap().unwrap(), "begun", "{framing:?}");
        assert!(response.chunk().await.is_err(), "{framing:?}");
        let whole = Script::response(StatusCode::OK).framing(framing).send("wh").send("ole");
        world.simulator.business_central().script(Matcher::any(), Times::Next(1), whole);
        assert_eq!(world.get(&world.customers()).await.text().await.unwrap(), "whole", "{framing:?}");
    }
    let outcomes: Vec<Outcome> = world.simulator.received().iter().map(|received| received.outcome).collect();
    assert_eq!(outcomes, [Outcome::Broken, Outcome::Answered].repeat(3));
}

#[tokio::test]
async fn an_ordinary_response_can_be_cut_at_any_offset() {
    let world = World::new().await;
    let url = format!("{}?$top=1", world.customers());
    let whole = world.get(&url).await.bytes().await.unwrap();
    for length in [0, 1, whole.len() / 2, whole.len() - 1, whole.len(), usize::MAX] {
        let script = Script::ordinary().cut_after(length);
        world.simulator.business_central().script(Matcher::any(), Times::Next(1), script);
        let mut response = world.get(&url).await;
        assert_eq!(response.content_length(), Some(whole.len() as u64));
        let mut body = Vec::new();
        let end = loop {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                end => break end.map(|_| ()),
            }
        };
        assert_eq!(body, whole[..length.min(whole.len())], "{length}");
        assert_eq!(end.is_ok(), length >= whole.len(), "{length}");
    }
}

#[tokio::test]
async fn large_responses_are_streamed() {
    let world = World::new().await;
    let script = Script::response(StatusCode::OK).framing(Framing::Chunked).fill(64 << 20);
    world.simulator.business_central().script(Matcher::any(), Times::Always, script);
    let mut response = world.get(&world.customers()).await;
    let mut length = 0_u64;
    while let Some(chunk) = response.chunk().await.unwrap() {
        assert_eq!(u64::from(chunk[0] - b'a'), length % 26);
        length += chunk.len() as u64;
    }
    assert_eq!(length, 64 << 20);
}

#[tokio::test]
async fn uploads_are_counted_fully_and_logged_in_part() {
    let world = World::new().await;
    let script = Script::response(StatusCode::NO_CONTENT);
    world.simulator.business_central().script(Matcher::any().method(Method::PUT), Times::Always, script);
    let request = world.client.put(world.customers()).bearer_auth(world.token().await).body(vec![b'x'; 5 << 20]);
    assert_eq!(request.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    let received = world.simulator.received().remove(0);
    assert_eq!((received.body_length, received.body.len(), received.complete), (5 << 20, 1 << 20, true));
}

#[tokio::test]
async fn scripts_apply_to_matching_requests_a_limited_number_of_times() {
    let world = World::new().await;
    let business_central = world.simulator.business_central();
    let busy = Script::busy(StatusCode::TOO_MANY_REQUESTS, Some(3));
    business_central.script(Matcher::any().method(Method::GET).path_ending("/customers"), Times::Next(2), busy);
    let url = world.customers();
    assert_eq!(world.client.get(&url).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(world.get(&url.replace("customers", "items")).await.status(), StatusCode::OK);
    for _ in 0..2 {
        let response = world.get(&url).await;
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()["retry-after"], "3");
    }
    assert_eq!(world.get(&url).await.status(), StatusCode::OK);

    let elsewhere = HeaderValue::from_static("https://elsewhere.example/");
    business_central.script(Matcher::any().even_without_token(), Times::Always, Script::redirect(elsewhere));
    assert_eq!(world.client.get(&url).send().await.unwrap().status(), StatusCode::FOUND);
    business_central.clear_scripts();
    business_central.script(Matcher::any(), Times::Next(1), Script::unauthorized());
    assert_eq!(world.get(&url).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn responses_wait_for_latches() {
    let world = World::new().await;
    let (head, body) = (Latch::closed(), Latch::closed());
    let script =
        Script::response(StatusCode::OK).framing(Framing::Chunked).send("a").hold(&body).send("b").hold_head(&head);
    world.simulator.business_central().script(Matcher::any(), Times::Next(1), script);
    let url = world.customers();
    let arrival = async {
        world.wait_for(|received| received.iter().any(|request| request.complete)).await;
        assert_eq!(world.simulator.received()[0].status, None);
        head.open();
    };
    let (mut response, ()) = tokio::join!(world.get(&url), arrival);
    assert_eq!(response.chunk().await.unwrap().unwrap(), "a");
    body.open();
    assert_eq!(response.text().await.unwrap(), "b");
}

#[tokio::test]
async fn a_reset_can_occur_before_or_after_the_request_takes_effect() {
    let world = World::new().await;
    let business_central = world.simulator.business_central();
    let create = async || {
        let request = world.client.post(world.customers()).bearer_auth(world.token().await);
        request.json(&json!({"displayName": "x"})).send().await
    };
    business_central.script(Matcher::any(), Times::Next(1), Script::reset());
    assert!(create().await.is_err());
    assert_eq!(business_central.writes(), 0);
    business_central.script(Matcher::any(), Times::Next(1), Script::ordinary().break_before_response(Break::Reset));
    assert!(create().await.is_err());
    assert_eq!(business_central.writes(), 1);
}

#[tokio::test]
async fn a_cut_request_changes_nothing() {
    let world = World::new().await;
    let token = world.token().await;
    let url = reqwest::Url::parse(&world.customers()).unwrap();
    let mut stream = raw_connection(&world.simulator).await;
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{\"displayName\":\"x\"}}",
        url.path()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    world.wait_for(|received| received.iter().any(|request| request.body_length == 19)).await;
    drop(stream);
    world.wait_for(|received| received.iter().any(|request| request.outcome == Outcome::Broken)).await;
    let received = world.simulator.received().remove(0);
    assert!(!received.complete);
    assert_eq!(&received.body[..], b"{\"displayName\":\"x\"}");
    assert_eq!(world.simulator.business_central().writes(), 0);
}

#[tokio::test]
async fn an_early_response_does_not_wait_for_the_request_and_can_have_trailers() {
    let world = World::new().await;
    let script = Script::response(StatusCode::PAYLOAD_TOO_LARGE)
        .send("no")
        .trailer(HeaderName::from_static("x-check"), HeaderValue::from_static("sum"))
        .leave_request_unread();
    world.simulator.business_central().script(Matcher::any().even_without_token(), Times::Next(1), script);
    let mut stream = raw_connection(&world.simulator).await;
    let head = "POST /x HTTP/1.1\r\nHost: localhost\r\nTE: trailers\r\nContent-Length: 100\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    let (mut response, mut piece) = (String::new(), [0; 4096]);
    while !response.ends_with("x-check: sum\r\n\r\n") {
        let length = stream.read(&mut piece).await.unwrap();
        assert_ne!(length, 0, "{response}");
        response.push_str(std::str::from_utf8(&piece[..length]).unwrap());
    }
    assert!(response.starts_with("HTTP/1.1 413 "), "{response}");
}

#[tokio::test]
async fn a_thousand_clients_are_served_concurrently_and_stopping_frees_the_ports() {
    let world = World::new().await;
    let latch = Latch::closed();
    world.simulator.business_central().script(Matcher::any(), Times::Always, Script::ordinary().hold_head(&latch));
    let token = world.token().await;
    let url = format!("{}?$top=1", world.customers());
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..1000 {
        let request = world.client.get(&url).bearer_auth(&token);
        requests.spawn(async move { request.send().await.map(|response| response.status()) });
    }
    world.wait_for(|received| received.iter().filter(|request| request.complete).count() == 1000).await;
    latch.open();
    while let Some(status) = requests.join_next().await {
        assert_eq!(status.unwrap().unwrap(), StatusCode::OK);
    }
    let connections: BTreeSet<u64> = world.simulator.received().iter().map(|request| request.connection).collect();
    assert_eq!(connections.len(), 1000);

    let port = world.simulator.base_url().rsplit(':').next().unwrap().parse().unwrap();
    world.simulator.stop().await;
    let again = Simulator::start(Settings { business_central_port: Some(port), ..Settings::default() }).await;
    assert!(again.is_ok());
}

#[tokio::test]
async fn connections_can_be_rejected_and_closed() {
    let world = World::new().await;
    let mut idle = raw_connection(&world.simulator).await;
    world.simulator.close_connections().await;
    // The connection is closed without a TLS close: an error or an end, never a byte.
    assert_eq!(idle.read(&mut [0; 1]).await.unwrap_or(0), 0);
    let token = world.token().await;
    world.simulator.business_central().reject_connections(Times::Next(1));
    let request = || world.client.get(world.customers()).bearer_auth(&token).send();
    assert!(request().await.is_err());
    assert_eq!(request().await.unwrap().status(), StatusCode::OK);
    assert_eq!(world.simulator.received().len(), 1);
}

#[tokio::test]
async fn a_reset_in_the_middle_of_a_response_is_recognizable() {
    let world = World::new().await;
    let script = Script::response(StatusCode::OK).framing(Framing::Close).fill(10).reset_here();
    world.simulator.business_central().script(Matcher::any(), Times::Next(1), script);
    let request = world.client.get(world.customers()).bearer_auth(world.token().await).send();
    // The reset may arrive even before the head.
    let body = async { request.await?.bytes().await };
    assert!(body.await.is_err());
}

#[tokio::test]
async fn the_request_log_drops_the_oldest_requests() {
    let world = World::with(Settings { request_log_limit: 2, ..Settings::default() }).await;
    for index in 0..7 {
        world.get(&format!("{}?$top=1&index={index}", world.customers())).await;
    }
    let received = world.simulator.received();
    assert!((2..=4).contains(&received.len()));
    assert!(received.last().unwrap().target.ends_with("index=6"));
    assert!(received.iter().all(|request| request.status == Some(StatusCode::OK)));
}
