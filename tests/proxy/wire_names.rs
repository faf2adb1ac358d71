//! Clients that compare the names of headers letter by letter.

use bcproxy::simulator::{Framing, Script, Times};
use hyper::{Method, StatusCode};

use crate::rig::{Plan, Rig};
use crate::wire::{Head, Wire};

/// The names that IIS and Business Central write otherwise than hyper.
const NAMES: [&str; 16] = [
    "Accept-Ranges",
    "Allow",
    "Cache-Control",
    "Cache-Status",
    "Connection",
    "Content-Disposition",
    "Content-Language",
    "Content-Length",
    "Content-Type",
    "Date",
    "ETag",
    "Last-Modified",
    "OData-Version",
    "Preference-Applied",
    "Server",
    "Transfer-Encoding",
];

const ETAG_FIRST: &str = "etag: W/\"1\"\r\ndate: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-type: x\r\n\r\n";

async fn ask(client: &mut Wire, request: &str) -> Head {
    client.send(format!("{request}\r\n\r\n")).await;
    client.response().await.0
}

#[track_caller]
fn check(head: &Head, expected: &[&str]) {
    let mut names = head.names();
    names.sort_unstable();
    assert_eq!(names, expected, "{head:?}");
}

#[tokio::test]
async fn names_of_responses_are_written_as_iis_writes_them() {
    let rig = Plan::default()
        .top("routes: [{ path: /api, to: api/v2.0, methods: [ GET ] }, { path: /soap, to: soap }]")
        .start()
        .await;
    let mut client = Wire::connect(rig.address()).await;
    let of_json = [
        "Content-Length",
        "Content-Type",
        "Date",
        "OData-Version",
        "Vary",
        "X-Request-Id",
        "ms-correlation-x",
        "request-id",
    ];
    let head = ask(&mut client, "GET /api/customers?$top=1 HTTP/1.1\r\nHost: erp").await;
    check(&head, &of_json);
    let rejected = ["Content-Length", "Content-Type", "Date", "Proxy-Status", "X-Request-Id"];
    check(&ask(&mut client, "GET /unknown HTTP/1.1\r\nHost: erp").await, &rejected);
    let head = ask(&mut client, "DELETE /api/customers HTTP/1.1\r\nHost: erp").await;
    check(&head, &["Allow", "Content-Length", "Content-Type", "Date", "Proxy-Status", "X-Request-Id"]);
    let head = ask(
        &mut client,
        "GET /soap/Services HTTP/1.1\r\nHost: erp\r\nAuthorization: NTLM TlRMTVNTUAABAAAAB4IIogAAAAAAAAAAAAAAAAAAAAA=",
    )
    .await;
    assert_eq!(head.status(), StatusCode::UNAUTHORIZED);
    check(&head, &["Content-Length", "Date", "WWW-Authenticate", "X-Request-Id"]);
    // Nothing parses this one: the response is not hyper's.
    let head = ask(&mut client, "GET /api").await;
    check(&head, &["Connection", "Content-Length", "Content-Type", "Proxy-Status"]);

    let scripted = NAMES.iter().fold(Script::response(StatusCode::OK).send(ETAG_FIRST), |script, name| match *name {
        "Connection" | "Content-Length" | "Date" | "Transfer-Encoding" => script,
        name => script.header(name.parse().unwrap(), "x".parse().unwrap()),
    });
    rig.script(Times::Next(1), scripted.framing(Framing::Chunked));
    let mut client = Wire::connect(rig.address()).await;
    client.send("GET /api/items HTTP/1.1\r\nHost: erp\r\nConnection: close\r\n\r\n").await;
    let (head, body) = client.response().await;
    for name in NAMES.iter().filter(|name| !matches!(**name, "Content-Length" | "Cache-Status")) {
        assert!(head.names().contains(name), "{name}: {head:?}");
    }
    assert_eq!(String::from_utf8(body).unwrap(), ETAG_FIRST);
}

#[tokio::test]
async fn no_byte_of_a_body_is_taken_for_a_name() {
    for is_secured in [false, true] {
        let plan = if is_secured { Plan::default().secured() } else { Plan::default() };
        let rig = plan.start().await;
        for framing in [Framing::ContentLength, Framing::Chunked] {
            rig.script(Times::Next(3), Script::response(StatusCode::OK).framing(framing).send(ETAG_FIRST));
            let mut client = if is_secured {
                let tls = bcproxy::tls::client_config(Some(&rig.folder.path().join("local-ca.pem"))).unwrap();
                Wire::connect_tls(rig.address(), tls).await.unwrap()
            } else {
                Wire::connect(rig.address()).await
            };
            // All at once: each response begins as soon as the one before has ended.
            let get = "GET /api/items HTTP/1.1\r\nHost: erp\r\n\r\n";
            let post = "POST /api/items HTTP/1.1\r\nHost: erp\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}";
            let head_only = get.replace("GET", "HEAD").replace("items", "../x");
            client.send([get, post, &head_only, &head_only, get].concat()).await;
            for request in [get, post, &head_only, &head_only, get] {
                let mut head = client.head().await;
                if request == post {
                    assert_eq!(head.status(), StatusCode::CONTINUE);
                    head = client.head().await;
                }
                let names = head.names();
                assert!(names.contains(&"Date") && names.contains(&"X-Request-Id"), "{head:?}");
                assert!(names.iter().all(|name| *name != "content-length" && *name != "content-type"), "{head:?}");
                if request == head_only {
                    assert_eq!(head.status(), StatusCode::BAD_REQUEST);
                    continue;
                }
                let body = match head.header("content-length") {
                    Some(length) => client.bytes(length.parse().unwrap()).await,
                    None => {
                        let chunk = client.chunk().await;
                        assert!(client.chunk().await.is_empty());
                        chunk
                    }
                };
                assert_eq!(String::from_utf8(body).unwrap(), ETAG_FIRST);
            }
        }
    }
}

#[tokio::test]
async fn a_large_page_in_many_pieces_keeps_its_bytes() {
    let rig = Rig::new().await;
    let line = "etag: 1\r\ncontent-type: 2\r\n";
    let page = line.repeat(40_000);
    rig.script(Times::Next(2), Script::response(StatusCode::OK).framing(Framing::Chunked).send(page.clone()));
    let mut client = Wire::connect(rig.address()).await;
    client.take_in_little();
    for _ in 0..2 {
        client.send(format!("{} /api/items HTTP/1.1\r\nHost: erp\r\n\r\n", Method::GET)).await;
        let (head, body) = client.response().await;
        assert!(head.names().contains(&"Transfer-Encoding"), "{head:?}");
        assert!(body == page.as_bytes());
    }
}
