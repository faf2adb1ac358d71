//! How the service ends: nothing under way is lost, nobody idle is waited for.
#![cfg(unix)]

use std::io::ErrorKind;
use std::net::SocketAddr;

use bcproxy::simulator::{Framing, Latch, Matcher, Outcome, Script, Times};
use hyper::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::process::Process;
use crate::rig::{Plan, Prepared, read_to_end, within};
use crate::wire::Wire;

/// A running service with one request that Business Central holds back, and one idle connection.
struct Scene {
    prepared: Prepared,
    process: Process,
    address: SocketAddr,
    latch: Latch,
    busy: Wire,
    idle: Wire,
}

impl Scene {
    async fn new(top: &str) -> Self {
        let prepared = Plan::default().top(top).prepare().await;
        let latch = Latch::closed();
        let held = Script::response(StatusCode::OK).framing(Framing::Chunked).send("begun ").hold(&latch).send("whole");
        let business_central = prepared.simulator.business_central();
        business_central.script(Matcher::any().path_ending("/items"), Times::Always, held);
        let mut process = Process::run(&prepared.file);
        let address = process.address().await;
        let mut idle = Wire::connect(address).await;
        idle.send("GET /api/customers HTTP/1.1\r\nHost: erp\r\n\r\n").await;
        assert_eq!(idle.response().await.0.status(), StatusCode::OK);
        let mut busy = Wire::connect(address).await;
        busy.send("GET /api/items HTTP/1.0\r\n\r\n").await;
        assert_eq!(busy.head().await.status(), StatusCode::OK);
        assert_eq!(busy.bytes(6).await, b"begun ");
        Self { prepared, process, address, latch, busy, idle }
    }

    /// Sends the signal and waits until it takes effect.
    async fn stop(&mut self) {
        let mut witness = Wire::connect(self.address).await;
        self.process.signal("TERM").await;
        // Closed or, if nobody had come to accept it, reset.
        let (rest, _) = witness.rest().await;
        assert!(rest.is_empty());
    }
}

/// Whether a new connection gets an answer.
async fn is_served(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address).await else { return false };
    // It may be reset at any moment.
    let _ = stream.write_all(b"GET /api/customers HTTP/1.0\r\n\r\n").await;
    !read_to_end(&mut stream).await.0.is_empty()
}

#[tokio::test]
async fn what_is_under_way_is_finished_and_nothing_new_begun() {
    let mut scene = Scene::new("").await;
    scene.stop().await;
    let (rest, end) = scene.idle.rest().await;
    assert!(rest.is_empty());
    end.unwrap();
    assert!(!is_served(scene.address).await);
    scene.latch.open();
    let (rest, end) = scene.busy.rest().await;
    assert_eq!(rest, b"whole");
    end.unwrap();
    let ended = scene.process.end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[tokio::test]
async fn a_connection_in_use_is_closed_after_its_response() {
    let mut scene = Scene::new("").await;
    let latch = Latch::closed();
    let held = Script::ordinary().hold_head(&latch);
    scene.prepared.simulator.business_central().script(Matcher::any().path_ending("/customers"), Times::Always, held);
    scene.idle.send("GET /api/customers HTTP/1.1\r\nHost: erp\r\n\r\n").await;
    scene
        .prepared
        .simulator
        .wait_for(|received| {
            received.iter().any(|one| one.outcome == Outcome::Pending && one.target.ends_with("/customers"))
        })
        .await;
    scene.stop().await;
    latch.open();
    scene.latch.open();
    let (head, _) = scene.idle.response().await;
    assert_eq!((head.status(), head.header("connection")), (StatusCode::OK, Some("close")));
    scene.idle.rest().await.1.unwrap();
    assert_eq!(scene.process.end().await.code, Some(0));
}

#[tokio::test]
async fn the_second_signal_ends_everything_and_a_cut_response_looks_cut() {
    let mut scene = Scene::new("").await;
    scene.stop().await;
    scene.process.signal("TERM").await;
    let (rest, end) = scene.busy.rest().await;
    assert_eq!((rest, end.unwrap_err().kind()), (Vec::new(), ErrorKind::ConnectionReset));
    let ended = scene.process.end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.errors.contains("stopping at once"), "{ended:?}");
}

#[tokio::test]
async fn when_the_grace_is_over_requests_are_cut_and_look_cut() {
    let mut scene = Scene::new("shutdown: { grace: 100ms }").await;
    scene.stop().await;
    let (rest, end) = scene.busy.rest().await;
    assert_eq!((rest, end.unwrap_err().kind()), (Vec::new(), ErrorKind::ConnectionReset));
    let ended = scene.process.end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.errors.contains("aborting the requests"), "{ended:?}");
}

#[tokio::test]
async fn not_even_a_killed_process_leaves_an_response_that_looks_whole() {
    let mut scene = Scene::new("").await;
    scene.process.signal("KILL").await;
    let (rest, end) = scene.busy.rest().await;
    assert_eq!((rest, end.unwrap_err().kind()), (Vec::new(), ErrorKind::ConnectionReset));
}

/// Requests on one kept connection until it ends; how many, all of them answered with 200. One that was sent when the
/// connection had ended already was never accepted: every HTTP client sends it again.
async fn load(address: SocketAddr) -> usize {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /api/customers?$top=1 HTTP/1.1\r\nHost: {address}\r\n\r\n");
    for count in 0.. {
        if stream.write_all(request.as_bytes()).await.is_err() {
            return count;
        }
        let mut response = Vec::new();
        let is_whole = |response: &[u8]| response.ends_with(b"\r\n0\r\n\r\n") || response.ends_with(b"]}");
        while !is_whole(&response) {
            match within(stream.read_buf(&mut response)).await {
                Ok(0) | Err(_) if response.is_empty() => return count,
                Ok(0) | Err(_) => panic!("the {count}. answer was cut: {}", String::from_utf8_lossy(&response)),
                Ok(_) => {}
            }
        }
        assert!(response.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&response));
        let head = String::from_utf8_lossy(&response).to_ascii_lowercase();
        if head.contains("\r\nConnection: close\r\n") {
            // Announced; nothing more comes.
            assert_eq!(within(stream.read_buf(&mut response)).await.unwrap_or(0), 0);
            return count + 1;
        }
    }
    unreachable!()
}

#[tokio::test]
async fn a_stop_under_load_fails_no_request_that_was_accepted() {
    let prepared = Plan::default().prepare().await;
    let mut process = Process::run(&prepared.file);
    let address = process.address().await;
    let clients: Vec<_> = (0..16).map(|_| tokio::spawn(load(address))).collect();
    for _ in 0..100 {
        process.log_line(|line| line["target"] == "bcproxy::access").await;
    }
    process.signal("TERM").await;
    let mut answered = 0;
    for client in clients {
        answered += client.await.unwrap();
    }
    let ended = process.end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let lines = ended.errors.lines().filter(|line| line.contains("\"bcproxy::access\"")).count();
    assert_eq!(lines, answered, "whatever was taken in got its answer");
    assert!(!ended.errors.contains("\"outcome\":\"broken"), "{}", ended.errors);
}

#[tokio::test]
async fn a_client_that_has_just_connected_may_still_ask() {
    let mut scene = Scene::new("").await;
    let mut fresh = Wire::connect(scene.address).await;
    // It is accepted once a later one is served.
    assert!(is_served(scene.address).await);
    scene.process.signal("TERM").await;
    scene.idle.rest().await.1.unwrap();
    fresh.send("GET /api/customers HTTP/1.1\r\nHost: erp\r\n\r\n").await;
    let (head, _) = fresh.response().await;
    assert_eq!((head.status(), head.header("connection")), (StatusCode::OK, Some("close")));
    scene.latch.open();
    assert_eq!(scene.process.end().await.code, Some(0));
}
