//! Clients that ask before they send, and clients that send what nobody asked for.

use bcproxy::simulator::{Fault, Latch, Matcher, Script, Times};
use hyper::{Method, StatusCode};

use crate::rig::{Plan, Rig};
use crate::wire::{Wire, chunked};

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
    for length in [1000, 300_000, 5_000_000] {
        for expect in ["", "Expect: 100-continue\r\n"] {
            let mut client = Wire::connect(rig.address()).await;
            client
                .send(format!("POST /unknown HTTP/1.1\r\nHost: erp\r\n{expect}Content-Length: {length}\r\n\r\n"))
                .await;
            client.send(vec![b'x'; length]).await;
            let (head, body) = client.response().await;
            assert_eq!(head.status(), StatusCode::NOT_FOUND, "{length}");
            assert!(String::from_utf8(body).unwrap().contains("Proxy_NoRoute"));
            if !expect.is_empty() {
                assert_eq!(head.header("connection"), Some("close"), "{length}");
                client.finish_sending().await;
                let (rest, end) = client.rest().await;
                assert!(rest.is_empty(), "{length}");
                end.unwrap();
            }
        }
    }
    assert!(rig.received().is_empty());
}

#[tokio::test]
async fn a_client_that_asks_first_is_rejected_without_a_100() {
    let routes = "
routes:
  - { path: /api, to: api/v2.0, company: CRONUS International Ltd. }
  - { path: /closed, to: api/v2.0, allow_from: [ 192.0.2.1 ] }
  - { path: /read, to: api/v2.0, methods: [ GET ] }";
    let rig = Plan::default().top(routes).start().await;
    let json = "Content-Type: application/json\r\n";
    for (target, host, headers, status) in [
        ("/unknown", "erp", "", 404),
        ("/api/items", "other.example", "", 421),
        ("/api/../x", "erp", "", 400),
        ("/closed/items", "erp", "", 403),
        ("/read/items", "erp", "", 405),
        ("/api/items", "erp", "Authorization: NTLM TlRMTVNTUAAB\r\n", 400),
        ("/api/items", "erp", json, 413),
        ("/api/items", "erp", "Content-Type: application/json; charset=utf-16\r\n", 415),
        ("/api/$batch", "erp", "Content-Type: multipart/mixed; boundary=b\r\n", 415),
    ] {
        let mut client = Wire::connect(rig.address()).await;
        client
            .send(format!(
                "POST {target} HTTP/1.1\r\nHost: {host}\r\n{headers}Expect: 100-continue\r\nContent-Length: 20000000\r\n\r\n"
            ))
            .await;
        let (head, _) = client.response().await;
        assert_eq!((head.status().as_u16(), head.header("connection")), (status, Some("close")), "{target} {headers}");
        client.finish_sending().await;
        let (rest, end) = client.rest().await;
        assert!(rest.is_empty(), "{target}");
        end.unwrap();
    }
    assert!(rig.received().is_empty());
}

#[tokio::test]
async fn a_client_that_asks_first_and_sends_chunks_at_once_reads_the_rejection_too() {
    let rig = Plan::default().secured().start().await;
    let tls = || bcproxy::tls::client_config(Some(&rig.folder.path().join("local-ca.pem"))).unwrap();
    let mut client = Wire::connect_tls(rig.address(), tls()).await.unwrap();
    client
        .send("POST /x/../y HTTP/1.1\r\nHost: erp\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    client.send(chunked(&[b'x'; 3_000_000])).await;
    let (head, _) = client.response().await;
    assert_eq!((head.status(), head.header("connection")), (StatusCode::BAD_REQUEST, Some("close")));
    client.finish_sending().await;
    client.rest().await.1.unwrap();
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
