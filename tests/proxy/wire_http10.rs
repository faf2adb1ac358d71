//! HTTP/1.0, HEAD, many requests on one connection, and request lines of all kinds.

use bcproxy::simulator::{Framing, Script, Times};
use hyper::{Method, StatusCode};

use crate::rig::{Plan, Rig};
use crate::wire::Wire;

#[tokio::test]
async fn http_1_0_never_sees_chunks() {
    let rig = Rig::new().await;
    for framing in [Framing::ContentLength, Framing::Chunked, Framing::Close] {
        let script = Script::response(StatusCode::OK).framing(framing).send("one ").send("two");
        rig.script(Times::Always, script);
        for keep_alive in ["", "Connection: keep-alive\r\n"] {
            for request in ["GET /api/items", "POST /api/items"] {
                let mut client = Wire::connect(rig.address()).await;
                client.send(format!("{request} HTTP/1.0\r\n{keep_alive}\r\n")).await;
                client.finish_sending().await;
                let head = client.head().await;
                assert_eq!((head.status(), head.header("transfer-encoding")), (StatusCode::OK, None), "{head:?}");
                assert_eq!(head.version(), "HTTP/1.0");
                let (body, end) = client.rest().await;
                assert_eq!(body, b"one two", "{framing:?}");
                end.unwrap();
            }
        }
        rig.simulator.business_central().clear_scripts();
    }
}

#[tokio::test]
async fn a_post_over_http_1_0_is_carried_out() {
    let rig = Rig::new().await;
    let body = r#"{"displayName":"Old Ltd."}"#;
    let kind = "Content-Type: application/json";
    let length = body.len();
    let (response, end) =
        rig.raw(format!("POST /api/customers HTTP/1.0\r\n{kind}\r\nContent-Length: {length}\r\n\r\n{body}")).await;
    end.unwrap();
    assert!(response.starts_with("HTTP/1.0 201 ") && response.contains("Old Ltd."), "{response}");
    assert_eq!(rig.simulator.business_central().writes(), 1);
}

#[tokio::test]
async fn a_head_has_the_length_of_the_get_and_no_body() {
    let rig = Rig::new().await;
    let script = Script::response(StatusCode::OK).send("12345");
    rig.script(Times::Always, script);
    let mut client = Wire::connect(rig.address()).await;
    client.send("HEAD /api/items HTTP/1.1\r\nHost: erp\r\n\r\nGET /api/items HTTP/1.1\r\nHost: erp\r\n\r\n").await;
    let head = client.head().await;
    assert_eq!((head.status(), head.header("content-length")), (StatusCode::OK, Some("5")));
    let (_, body) = client.response().await;
    assert_eq!(body, b"12345");
    assert_eq!(rig.received()[0].method, Method::HEAD);
}

#[tokio::test]
async fn one_connection_serves_many_requests_one_after_another_and_pipelined() {
    let rig = Rig::new().await;
    let mut client = Wire::connect(rig.address()).await;
    let request = |number: usize| format!("GET /api/customers?$top={number} HTTP/1.1\r\nHost: erp\r\n\r\n");
    let count =
        |body: &[u8]| serde_json::from_slice::<serde_json::Value>(body).unwrap()["value"].as_array().unwrap().len();
    for number in 1..=20 {
        client.send(request(number)).await;
        assert_eq!(count(&client.response().await.1), number);
    }
    let pipelined: String = (1..=20).map(request).collect();
    client.send(pipelined).await;
    for number in 1..=20 {
        assert_eq!(count(&client.response().await.1), number);
    }
    assert_eq!(rig.received().len(), 40);
}

#[tokio::test]
async fn pipelined_posts_are_carried_out_although_their_sender_is_done() {
    let rig = Rig::new().await;
    let body = r#"{"displayName":"Pipelined Ltd."}"#;
    let mut client = Wire::connect(rig.address()).await;
    let head = "POST /api/customers HTTP/1.1\r\nHost: erp\r\nContent-Type: application/json";
    client.send(format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).repeat(2)).await;
    client.finish_sending().await;
    for _ in 0..2 {
        assert_eq!(client.response().await.0.status(), StatusCode::CREATED);
    }
    client.rest().await.1.unwrap();
    assert_eq!(rig.simulator.business_central().writes(), 2);
}

#[tokio::test]
async fn a_body_whose_length_is_in_doubt_is_rejected_and_ends_the_connection() {
    let rig = Rig::new().await;
    for (version, framing, status) in [
        ("1.1", "Content-Length: 5\r\nTransfer-Encoding: chunked", 400),
        ("1.1", "Transfer-Encoding: chunked\r\nContent-Length: 5", 400),
        ("1.1", "Transfer-Encoding: chunked, gzip", 400),
        ("1.1", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400),
        ("1.0", "Transfer-Encoding: chunked", 400),
        ("1.1", "Transfer-Encoding: gzip, chunked", 501),
    ] {
        for (kind, is_soap) in [("application/json", false), ("text/xml", true)] {
            let head = format!("POST /api/customers HTTP/{version}\r\nHost: erp\r\nContent-Type: {kind}");
            let next = "GET /api/customers HTTP/1.1\r\nHost: erp\r\n\r\n";
            let (response, end) = rig.raw(format!("{head}\r\n{framing}\r\n\r\n0\r\n\r\n{next}")).await;
            end.unwrap();
            let sent = if is_soap { 500 } else { status };
            assert!(response.starts_with(&format!("HTTP/1.1 {sent} ")), "{framing}: {response}");
            assert!(
                response.contains("Transfer-Encoding") && response.matches("Proxy-Status").count() == 1,
                "{response}"
            );
        }
    }
    assert!(rig.received().is_empty());
}

#[tokio::test]
async fn a_request_may_name_the_proxy_in_its_first_line_and_one_of_http_1_0_no_host_at_all() {
    let rig = Rig::new().await;
    let address = rig.address();
    for request in [
        format!("GET http://{address}/api/customers?$top=1 HTTP/1.1\r\nHost: {address}"),
        format!("GET http://{address}/api/customers?$top=1 HTTP/1.0"),
        "GET /api/customers?$top=1 HTTP/1.0".to_owned(),
        "\r\nGET /api/customers?$top=1 HTTP/1.1\r\nHost:".to_owned(),
    ] {
        let mut client = Wire::connect(address).await;
        client.send(format!("{request}\r\n\r\n")).await;
        assert_eq!(client.response().await.0.status(), StatusCode::OK, "{request}");
    }
    let received = rig.received();
    assert_eq!(received.len(), 4);
    assert!(received.iter().all(|again| again.target == received[0].target));
}

#[tokio::test]
async fn what_is_no_request_is_a_400_and_goes_nowhere() {
    let rig = Rig::new().await;
    for garbage in [
        "\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03\r\n\r\n",
        "GET\r\n\r\n",
        "GET /api/customers\r\n\r\n",
        "GET /api/customers HTTP/3.7\r\n\r\n",
        "GET /api/customers HTTP/1.1\r\nno colon\r\n\r\n",
        "GET /api/customers HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "POST /api/customers HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        "POST /api/customers HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12",
        "POST /api/customers HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
    ] {
        let mut client = Wire::connect(rig.address()).await;
        client.send(garbage).await;
        assert_eq!(client.head().await.status(), StatusCode::BAD_REQUEST, "{garbage:?}");
    }
    assert!(rig.received().is_empty());
}

#[tokio::test]
async fn the_authority_of_an_absolute_target_makes_the_links() {
    let rig = Rig::new().await;
    let public = Plan::default().top("public_url: https://gateway.contoso.local").start().await;
    for (rig, target, host, links) in [
        (&rig, "http://erp:9000/api/customers", "localhost:1", "http://erp:9000/api/"),
        (&rig, "/api/customers", "erp:9001", "http://erp:9001/api/"),
        (&public, "http://erp:9000/api/customers", "localhost:1", "https://gateway.contoso.local/api/"),
    ] {
        let mut client = Wire::connect(rig.address()).await;
        client.send(format!("GET {target}?$top=1 HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        let (head, body) = client.response().await;
        let body = String::from_utf8(body).unwrap();
        assert!(head.status() == StatusCode::OK && body.contains(&format!("\"@odata.context\":\"{links}")), "{body}");
    }
    for (target, host) in [("http://evil.example/api/customers", "erp"), ("http://erp/api/customers", "evil.example")] {
        let mut client = Wire::connect(rig.address()).await;
        client.send(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        assert_eq!(client.response().await.0.status(), StatusCode::MISDIRECTED_REQUEST, "{target} {host}");
    }
}

#[tokio::test]
async fn empty_segments_before_the_route_do_not_matter() {
    let rig = Rig::new().await;
    for path in ["/api/customers", "//api/customers", "///api//customers", "//odata/Customer", "//api/$metadata"] {
        let mut client = Wire::connect(rig.address()).await;
        client.send(format!("GET {path} HTTP/1.1\r\nHost: erp\r\n\r\n")).await;
        assert_eq!(client.response().await.0.status(), StatusCode::OK, "{path}");
    }
}
