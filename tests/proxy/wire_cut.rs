//! A cut answer looks cut, whatever the framing on either side.

use std::io::ErrorKind;
use std::process::Output;

use bcproxy::simulator::{Break, Framing, Latch, Matcher, Outcome, Script, Times};
use hyper::{Method, StatusCode};
use tokio::process::Command;

use crate::rig::{Plan, Rig, within};
use crate::wire::Wire;

const FRAMINGS: [Framing; 3] = [Framing::ContentLength, Framing::Chunked, Framing::Close];

/// Begins an answer and breaks it off once the latch is open.
fn begun(framing: Framing, how: Break, latch: &Latch) -> Script {
    let begun = Script::response(StatusCode::OK).framing(framing).send("begun").hold(latch);
    match how {
        Break::Cut => begun.cut(),
        Break::Reset => begun.reset_here(),
    }
}

/// A client that has read the beginning of an answer, and what it gets after Business Central broke that off.
async fn cut_after_begin(framing: Framing, how: Break, manner: &str) -> (Vec<u8>, std::io::Result<()>) {
    let (rig, latch) = (Rig::new().await, Latch::closed());
    rig.script(Times::Always, begun(framing, how, &latch));
    let mut client = Wire::connect(rig.address()).await;
    client.send(format!("GET /api/items {manner}\r\n\r\n")).await;
    let head = client.head().await;
    assert_eq!(head.status(), StatusCode::OK);
    let chunked = head.header("transfer-encoding").is_some();
    assert_eq!(chunked, manner.starts_with("HTTP/1.1") && framing != Framing::ContentLength, "{head:?}");
    let begin = if chunked { client.chunk().await } else { client.bytes(5).await };
    assert_eq!(begin, b"begun");
    if framing == Framing::ContentLength {
        assert_eq!(head.header("content-length"), Some("6"));
    }
    latch.open();
    client.rest().await
}

#[tokio::test]
async fn a_client_that_counts_gets_too_little() {
    for framing in FRAMINGS {
        for how in [Break::Cut, Break::Reset] {
            for manner in ["HTTP/1.1\r\nHost: erp", "HTTP/1.1\r\nHost: erp\r\nConnection: close"] {
                // Neither the byte that is missing nor the last chunk.
                let (rest, _) = cut_after_begin(framing, how, manner).await;
                assert!(rest.is_empty(), "{framing:?} {how:?} {manner}: {rest:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_client_that_waits_for_the_end_of_the_connection_gets_a_reset() {
    for framing in FRAMINGS {
        for how in [Break::Cut, Break::Reset] {
            for manner in ["HTTP/1.0", "HTTP/1.0\r\nConnection: keep-alive"] {
                let (rest, end) = cut_after_begin(framing, how, manner).await;
                assert!(rest.is_empty(), "{framing:?} {how:?} {manner}: {rest:?}");
                assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset, "{framing:?} {how:?} {manner}");
            }
        }
    }
}

#[tokio::test]
async fn a_body_that_stands_still_is_cut() {
    let rig = Plan::default().connector("timeouts: { body_idle: 50ms }").start().await;
    for framing in FRAMINGS {
        let script = begun(framing, Break::Cut, &Latch::closed());
        rig.script(Times::Next(1), script);
        let mut client = Wire::connect(rig.address()).await;
        client.send("GET /api/items HTTP/1.0\r\n\r\n").await;
        assert_eq!(client.head().await.status(), StatusCode::OK);
        assert_eq!(client.bytes(5).await, b"begun");
        let (rest, end) = client.rest().await;
        assert_eq!((rest, end.unwrap_err().kind()), (Vec::new(), ErrorKind::ConnectionReset), "{framing:?}");
        rig.wait_for(|received| received.iter().all(|received| received.outcome == Outcome::Broken)).await;
    }
}

#[tokio::test]
async fn an_upload_that_stands_still_is_rejected() {
    let rig = Plan::default().connector("timeouts: { body_idle: 50ms }").start().await;
    let mut client = Wire::connect(rig.address()).await;
    client.send("POST /api/customers HTTP/1.1\r\nHost: erp\r\nContent-Length: 10\r\n\r\nhalf").await;
    let (head, body) = client.response().await;
    assert_eq!(head.status(), StatusCode::REQUEST_TIMEOUT);
    assert!(String::from_utf8(body).unwrap().contains("Proxy_RequestTimeout"));
    assert!(rig.received().is_empty());
}

#[tokio::test]
async fn a_post_that_was_lost_is_a_502_and_sent_once() {
    for how in [Break::Cut, Break::Reset] {
        for pooled in [false, true] {
            let rig = Rig::new().await;
            if pooled {
                assert_eq!(rig.get("/api/customers").await.status, 200);
            }
            let lost = Script::ordinary().break_before_response(how);
            let posts = Matcher::any().method(Method::POST);
            rig.simulator.business_central().script(posts, Times::Always, lost);
            let response = rig.post_json("/api/customers", r#"{"displayName":"Lost Ltd."}"#).await;
            assert_eq!(
                (response.status, response.error().0.as_str()),
                (StatusCode::BAD_GATEWAY, "Proxy_ResponseBroken")
            );
            let posts = rig.received().iter().filter(|received| received.method == Method::POST).count();
            assert_eq!((posts, rig.simulator.business_central().writes()), (1, 1), "{how:?}, pooled: {pooled}");
        }
    }
}

async fn curl(rig: &Rig, version: &str) -> Output {
    let url = format!("http://{}/api/items", rig.address());
    within(Command::new("curl").args(["-s", "--noproxy", "*", version, &url]).output()).await.unwrap()
}

#[tokio::test]
#[ignore = "needs curl"]
async fn curl_notices_a_cut_response() {
    for framing in FRAMINGS {
        for version in ["--http1.1", "--http1.0"] {
            let rig = Rig::new().await;
            let open = Latch::closed();
            open.open();
            let script = begun(framing, Break::Cut, &open);
            rig.script(Times::Next(1), script);
            let output = curl(&rig, version).await;
            assert!(!output.status.success(), "{framing:?} {version}: {output:?}");
            let whole = Script::response(StatusCode::OK).framing(framing).send("whole");
            rig.script(Times::Next(1), whole);
            let output = curl(&rig, version).await;
            assert!(output.status.success(), "{framing:?} {version}: {output:?}");
            assert_eq!(output.stdout, b"whole");
        }
    }
}
