//! Clients that ask before they send, and clients that send what nobody asked for.

use bcproxy::simulator::{Fault, Latch, Matcher, Script, Times};
use hyper::{Method, StatusCode};

use crate::rig::{Plan, Rig};
use crate::wire::Wire;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

#[tokio::test]
async fn the_100_comes_at_once_whatever_else_is_waited_for() {
    let prepared = Plan::default().prepare().await;
    let entra = Latch::closed();
    prepared.simulator.entra().fail(Fault::Held(entra.clone()), Times::Always);
    let script = Script::response(StatusCode::OK);
    prepared.simulator.business_central().script(Matcher::any().method(Method::POST), Times::Always, script);
    let rig = prepared.start().await;
    let mut waiting = Vec::new();
    for length in [1000, 5_000_000] {
        let mut client = Wire::connect(rig.address()).await;
        let head = "POST /api/items HTTP/1.1\r\nHost: erp\r\nExpect: 100-continue\r\n";
        client.send(format!("{head}Content-Length: {length}\r\n\r\n")).await;
        assert_eq!(client.bytes(CONTINUE.len()).await, CONTINUE, "{length}");
        waiting.push((length, client));
    }
    entra.open();
    for (length, mut client) in waiting {
        client.send(vec![b'x'; length]).await;
        assert_eq!(client.response().await.0.status(), StatusCode::OK);
        let received = rig.received().pop().unwrap();
        assert_eq!(received.body_length, length as u64);
        assert!(!received.headers.contains_key("expect"));
    }
}

#[tokio::test]
async fn a_client_that_sends_before_it_reads_gets_to_read_the_rejection() {
    let rig = Plan::default().top("routes: [{ path: /api, to: api/v2.0 }]").start().await;
    for length in [300_000, 5_000_000] {
        for expect in ["", "Expect: 100-continue\r\n"] {
            let mut client = Wire::connect(rig.address()).await;
            client
                .send(format!("POST /unknown HTTP/1.1\r\nHost: erp\r\n{expect}Content-Length: {length}\r\n\r\n"))
                .await;
            client.send(vec![b'x'; length]).await;
            if !expect.is_empty() {
                assert_eq!(client.bytes(CONTINUE.len()).await, CONTINUE);
            }
            let (head, body) = client.response().await;
            assert_eq!(head.status(), StatusCode::NOT_FOUND, "{length}");
            assert!(String::from_utf8(body).unwrap().contains("Proxy_NoRoute"));
        }
    }
    assert!(rig.received().is_empty());
}

#[tokio::test]
async fn a_connection_stays_usable_after_a_rejected_body() {
    let rig = Rig::new().await;
    let mut client = Wire::connect(rig.address()).await;
    for _ in 0..2 {
        client.send("POST /api/../x HTTP/1.1\r\nHost: erp\r\nContent-Length: 100000\r\n\r\n").await;
        client.send([b'x'; 100_000]).await;
        assert_eq!(client.response().await.0.status(), StatusCode::BAD_REQUEST);
    }
    client.send("GET /api/customers HTTP/1.1\r\nHost: erp\r\n\r\n").await;
    assert_eq!(client.response().await.0.status(), StatusCode::OK);
}
