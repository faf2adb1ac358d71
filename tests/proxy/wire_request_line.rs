//! Request lines as old programs write them, on connections as old programs use them.

use std::time::Duration;

use hyper::StatusCode;

use crate::rig::{HeldClock, Rig};
use crate::wire::{Wire, chunked};

const OLD: &str = "/nav/BC140/WS/CRONUS International Ltd./Page/Customer";

#[tokio::test]
async fn raw_names_are_understood() {
    let rig = Rig::new().await;
    for (line, reached) in [
        (
            &b"GET /nav/BC140/WS/CRONUS International Ltd./Page/Customer HTTP/1.1"[..],
            "/WS/CRONUS%20International%20Ltd./Page/Customer",
        ),
        (
            b"GET  /nav/BC140/ws/CRONUS International Ltd./PAGE/Customer?wsdl  HTTP/1.0",
            "/WS/CRONUS%20International%20Ltd./PAGE/Customer?wsdl",
        ),
        (b"GET /odata/Customers?$filter=Name eq 'A B' HTTP/1.1", "/Customers?$filter=Name%20eq%20'A%20B'"),
        (
            b"GET /api/customers?$filter=displayName eq 'Gr\xF6\xDFe #1 \"<x>' HTTP/1.1",
            "'Gr%C3%B6%C3%9Fe%20%231%20%22%3Cx%3E'",
        ),
        ("GET /api/customers?$filter=displayName eq 'Größe' HTTP/1.1".as_bytes(), "'Gr%C3%B6%C3%9Fe'"),
        (b"GET http://oldserver:7047/nav/BC140/WS/CRONUS International Ltd./Page/Customer HTTP/1.1", "/Page/Customer"),
    ] {
        let mut client = Wire::connect(rig.address()).await;
        client.send([line, b"\r\nHost: erp\r\nConnection: close\r\n\r\n"].concat()).await;
        assert_eq!(client.head().await.status(), StatusCode::OK, "{}", String::from_utf8_lossy(line));
        client.rest().await.1.unwrap();
        let target = rig.received().pop().unwrap().target;
        assert!(target.contains(reached), "{target}");
    }
}

#[tokio::test]
async fn a_company_with_an_umlaut_is_found_however_it_is_written() {
    let rig = crate::rig::Plan::default().connector("company: -").start().await;
    for name in [
        &b"M\xFCller & S\xF6hne's Gro\xDFhandel"[..],
        "Müller & Söhne's Großhandel".as_bytes(),
        b"M%FCller%20&%20S%F6hne's%20Gro%DFhandel",
    ] {
        let mut client = Wire::connect(rig.address()).await;
        client.send([b"GET /nav/BC140/WS/", name, b"/Page/Customer HTTP/1.1\r\nHost: erp\r\n\r\n"].concat()).await;
        let (head, body) = client.response().await;
        assert_eq!(head.status(), StatusCode::OK, "{}", String::from_utf8_lossy(&body));
        let target = rig.received().pop().unwrap().target;
        assert!(target.ends_with("/WS/M%C3%BCller%20%26%20S%C3%B6hne%27s%20Gro%C3%9Fhandel/Page/Customer"), "{target}");
    }
}

#[tokio::test]
async fn raw_lines_and_bodies_follow_each_other_on_one_connection() {
    let rig = Rig::new().await;
    let customer = r#"{"displayName":"GET /a b HTTP/1.1"}"#;
    let post = "POST /api/customers HTTP/1.1\r\nHost: erp\r\nContent-Type: application/json\r\n";
    let with_length =
        [format!("{post}Content-Length: {}\r\n\r\n", customer.len()).as_bytes(), customer.as_bytes()].concat();
    let in_chunks =
        [format!("{post}Transfer-Encoding: chunked\r\n\r\n").as_bytes(), &chunked(customer.as_bytes())].concat();
    let get = format!("GET {OLD} HTTP/1.1\r\nHost: erp\r\n\r\n").into_bytes();
    let conversation = [&get, &with_length, &get, &in_chunks, &get];
    let expected = [200, 201, 200, 201, 200];

    let mut client = Wire::connect(rig.address()).await;
    for (request, expected) in conversation.iter().zip(expected) {
        client.send(request).await;
        assert_eq!(client.response().await.0.status(), expected);
    }
    // All at once, as a client that pipelines.
    client.send(conversation.map(Vec::as_slice).concat()).await;
    for expected in expected {
        assert_eq!(client.response().await.0.status(), expected);
    }
    assert_eq!(rig.simulator.business_central().writes(), 4);
}

#[tokio::test]
async fn what_cannot_be_repaired_is_rejected_in_words() {
    let rig = Rig::new().await;
    let mut client = Wire::connect(rig.address()).await;
    client.send("POST /soap/Page/Customer HTTP/7\r\nSOAPAction: x\r\nContent-Length: 5\r\n\r\n12345").await;
    let (head, body) = client.response().await;
    assert_eq!((head.status().as_u16(), head.header("content-type")), (500, Some("text/xml; charset=utf-8")));
    assert!(String::from_utf8_lossy(&body).contains("its HTTP version is neither 1.0 nor 1.1"));
    client.rest().await.1.unwrap();

    let mut client = Wire::connect(rig.address()).await;
    client.send("GET /api/customers HTTP/1.1\r\nHost : a\r\n\r\n").await;
    let (head, body) = client.response().await;
    assert_eq!(head.status(), 400);
    let error: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(error["error"]["code"], "Proxy_Unreadable");
    assert!(rig.received().is_empty());
}

#[tokio::test]
async fn a_connection_that_pauses_goes_on_and_one_that_stays_idle_is_closed() {
    let clock = HeldClock::new();
    let rig = Rig::new().await;
    let mut client = Wire::connect(rig.address()).await;
    for _ in 0..3 {
        client.send(format!("GET {OLD} HTTP/1.1\r\nHost: erp\r\n\r\n")).await;
        assert_eq!(client.response().await.0.status(), StatusCode::OK);
        for _ in 0..3 {
            clock.advance(Duration::from_secs(90)).await;
        }
    }
    clock.advance(Duration::from_secs(60)).await;
    let (rest, end) = client.rest().await;
    end.unwrap();
    assert!(rest.is_empty());
}

#[tokio::test]
async fn empty_lines_between_requests_do_not_keep_a_connection() {
    let clock = HeldClock::new();
    let rig = Rig::new().await;
    for first in ["", "GET /api/customers HTTP/1.1\r\nHost: erp\r\n\r\n"] {
        let mut client = Wire::connect(rig.address()).await;
        client.send(first).await;
        if !first.is_empty() {
            client.response().await;
        }
        for _ in 0..5 {
            client.send("\r\n").await;
            // The proxy must have read it before the clock goes on.
            let mut other = Wire::connect(rig.address()).await;
            other.send("GET /api/customers HTTP/1.1\r\nHost: erp\r\n\r\n").await;
            other.response().await;
            clock.advance(Duration::from_secs(60)).await;
        }
        let (rest, end) = client.rest().await;
        end.unwrap();
        assert!(rest.is_empty(), "{first:?}");
    }
}

#[tokio::test]
async fn a_client_that_sends_nothing_but_empty_lines_is_disconnected() {
    let _clock = HeldClock::new();
    let rig = Rig::new().await;
    let mut client = Wire::connect(rig.address()).await;
    client.send("\r\n".repeat(1000)).await;
    let (rest, _) = client.rest().await;
    assert!(rest.is_empty());
}

#[tokio::test]
async fn a_head_that_never_ends_is_given_up() {
    let clock = HeldClock::new();
    let rig = Rig::new().await;
    let mut client = Wire::connect(rig.address()).await;
    client.send("GET /api/customers HTTP/1.1\r\nHost: a\r\n").await;
    // The proxy must have read it before the clock goes on.
    let mut other = Wire::connect(rig.address()).await;
    other.send("GET /api/customers HTTP/1.1\r\nHost: erp\r\n\r\n").await;
    other.response().await;
    clock.advance(Duration::from_secs(10)).await;
    let (rest, end) = client.rest().await;
    end.unwrap();
    assert!(rest.is_empty() && rig.received().len() == 1);
}
