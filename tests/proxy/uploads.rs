//! Uploads: they hold no permit until they are complete, and neither memory nor disk of others.

use std::sync::Arc;

use bcproxy::simulator::{Latch, Matcher, Script, Times};
use hyper::{Method, StatusCode};

use crate::rig::{Plan, Rig, at_once, shared, until, within};
use crate::wire::{Wire, chunked};

const MIB: usize = 1 << 20;

/// A rig whose Business Central takes any POST.
async fn taking_posts(plan: Plan) -> Rig {
    let rig = plan.start().await;
    let script = Script::response(StatusCode::OK);
    rig.simulator.business_central().script(Matcher::any().method(Method::POST), Times::Always, script);
    rig
}

/// A plan for clients at several addresses of this machine.
fn for_many() -> Plan {
    Plan::default().top("listen: 0.0.0.0:0\naccess: { allow_from: [ 127.0.0.0/8 ], hosts: [ erp ] }")
}

/// A client at the address 127.0.0.`last`.
async fn client(rig: &Rig, last: u8) -> Wire {
    Wire::over(rig.connect_from(last).await)
}

async fn begin(client: &mut Wire, length: usize, part: usize) {
    client.send(format!("POST /api/items HTTP/1.1\r\nHost: erp\r\nContent-Length: {length}\r\n\r\n")).await;
    client.send(vec![b'x'; part]).await;
}

fn memory(rig: &Rig) -> usize {
    rig.proxy.view().budgets.memory.used() as usize
}

fn disk(rig: &Rig) -> usize {
    rig.proxy.view().budgets.disk.used() as usize
}

/// Status and `error.code`, or the text of a SOAP fault.
async fn rejection(client: &mut Wire) -> (u16, String) {
    let (head, body) = client.response().await;
    (head.status().as_u16(), String::from_utf8(body).unwrap())
}

#[tokio::test]
async fn uploads_that_crawl_hold_no_permit() {
    let rig = taking_posts(Plan::default()).await;
    let mut crawling = Vec::new();
    for path in ["/api/items", "/soap/Page/Customer"].repeat(6) {
        let mut client = Wire::connect(rig.address()).await;
        let length = MIB + 1;
        client.send(format!("POST {path} HTTP/1.1\r\nHost: erp\r\nContent-Length: {length}\r\n\r\nx")).await;
        crawling.push(client);
    }
    // Each byte is in a buffer of hyper, too.
    until(|| memory(&rig) == 2 * 12).await;
    assert_eq!(rig.limiter_at(0).await, (0, 0));
    assert_eq!(rig.soap_limiter_at(0).await, (0, 0));
    assert_eq!(rig.get("/api/customers").await.status, 200);
    assert_eq!(rig.call_soap("/soap/Codeunit/Tools").await.status, 200);
    for mut client in crawling {
        client.send(vec![b'x'; MIB]).await;
        assert_eq!(client.response().await.0.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn memory_is_charged_by_what_has_arrived() {
    let rig = taking_posts(Plan::default().top("max_memory: 2MiB")).await;
    let mut waiting = Vec::new();
    for _ in 0..75 {
        let mut client = Wire::connect(rig.address()).await;
        begin(&mut client, MIB, 1000).await;
        waiting.push(client);
    }
    until(|| memory(&rig) == 2 * 75_000).await;
    let mut client = Wire::connect(rig.address()).await;
    begin(&mut client, MIB, MIB).await;
    assert_eq!(client.response().await.0.status(), StatusCode::OK);
    drop(waiting);
    until(|| memory(&rig) == 0).await;
}

#[tokio::test]
async fn a_large_body_waits_on_disk_and_a_client_that_leaves_takes_it_along() {
    let rig = taking_posts(Plan::default()).await;
    let mut client = Wire::connect(rig.address()).await;
    begin(&mut client, 8 * MIB, 6 * MIB).await;
    until(|| disk(&rig) > 5 * MIB && memory(&rig) < MIB).await;
    drop(client);
    until(|| disk(&rig) == 0 && memory(&rig) == 0).await;
    assert!(rig.received().is_empty());
}

#[tokio::test]
async fn a_body_over_business_centrals_own_limit_is_rejected_before_anything_is_sent() {
    let rig = taking_posts(Plan::default()).await;
    for (path, limit, status) in [("/api/items", 350 * MIB, 413), ("/soap/Page/Customer", 64 * MIB, 500)] {
        let mut client = Wire::connect(rig.address()).await;
        client.send(format!("POST {path} HTTP/1.1\r\nHost: erp\r\nContent-Length: {}\r\n\r\n", limit + 1)).await;
        let (got, text) = rejection(&mut client).await;
        assert_eq!(got, status, "{path}");
        assert!(text.contains("Proxy_TooLarge") && text.contains(&format!("{} MiB", limit / MIB)), "{text}");
    }
    let mut client = Wire::connect(rig.address()).await;
    client.send("POST /soap/Page/Customer HTTP/1.1\r\nHost: erp\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    let piece = chunked(&vec![b'x'; MIB]);
    for _ in 0..64 {
        client.send(piece.strip_suffix(b"0\r\n\r\n").unwrap()).await;
    }
    client.send("1\r\nx\r\n0\r\n\r\n").await;
    assert!(rejection(&mut client).await.1.contains("Proxy_TooLarge"));
    assert!(rig.received().is_empty());
}

#[tokio::test]
async fn without_a_folder_bodies_wait_in_memory_until_it_is_full() {
    for spool in ["off", "{ folder: missing }"] {
        let rig = taking_posts(Plan::default().top(&format!("max_memory: 4MiB\nspool: {spool}"))).await;
        let upload = async |size| rig.send(Method::POST, "/api/attachments", &[], vec![b'x'; size]).await;
        assert_eq!(upload(3 * MIB).await.status, 200);
        let response = upload(5 * MIB).await;
        let rejection = response.rejection();
        assert_eq!((rejection.status, rejection.code.as_str()), (503, "Proxy_Overloaded"));
        assert!(rejection.message.contains("Nothing was carried out"), "{}", rejection.message);
        assert_eq!(response.retry_after(), 5);
        assert_eq!(upload(3 * MIB).await.status, 200);
    }
}

#[tokio::test]
async fn a_full_disk_rejects_with_503() {
    let rig = taking_posts(Plan::default().top("spool: { disk: 2MiB }")).await;
    let rejection = rig.send(Method::POST, "/api/attachments", &[], vec![b'x'; 3 * MIB]).await.rejection();
    assert_eq!((rejection.status, rejection.code.as_str()), (503, "Proxy_Overloaded"));
    assert!(rejection.message.contains("`spool: { disk: … }`"), "{}", rejection.message);
    assert!(rig.received().is_empty());
}

#[tokio::test]
async fn when_memory_is_full_the_client_that_holds_the_most_is_rejected_first() {
    let rig = taking_posts(for_many().top("max_memory: 16MiB\nspool: off")).await;
    let [mut greedy, mut other] = [client(&rig, 2).await, client(&rig, 3).await];
    begin(&mut greedy, 13 * MIB, 12 * MIB).await;
    until(|| memory(&rig) > 12 * MIB).await;
    begin(&mut other, 8 * MIB, 8 * MIB).await;
    assert_eq!(other.response().await.0.status(), StatusCode::OK);
    let (status, text) = rejection(&mut greedy).await;
    assert!(status == 503 && text.contains("Proxy_Overloaded"), "{status} {text}");
    assert_eq!(rig.received().len(), 1);
}

#[tokio::test]
async fn with_a_folder_the_client_that_holds_the_most_moves_to_disk() {
    let rig = taking_posts(for_many().top("max_memory: 1MiB")).await;
    let [mut first, mut second] = [client(&rig, 2).await, client(&rig, 3).await];
    begin(&mut first, 700_000, 600_000).await;
    until(|| memory(&rig) > 900_000).await;
    begin(&mut second, 300_000, 200_000).await;
    until(|| disk(&rig) > 500_000).await;
    first.send(vec![b'x'; 100_000]).await;
    second.send(vec![b'x'; 100_000]).await;
    for mut client in [first, second] {
        assert_eq!(client.response().await.0.status(), StatusCode::OK);
    }
    let lengths: Vec<_> = rig.received().iter().map(|received| received.body_length).collect();
    assert!(lengths == [700_000, 300_000] || lengths == [300_000, 700_000], "{lengths:?}");
}

#[tokio::test]
async fn queued_requests_count_against_the_memory() {
    let (rig, latch) = (shared(Plan::default().top("max_memory: 1MiB")).await, Latch::closed());
    rig.script(Times::Always, Script::response(StatusCode::OK).hold_head(&latch));
    let clients = tokio::spawn(at_once(100, {
        let rig = rig.clone();
        move |_| {
            let rig: Arc<Rig> = rig.clone();
            async move { rig.get("/api/items").await.status.as_u16() }
        }
    }));
    // 1 MiB is enough for 64 requests in the queue, beside the five in flight.
    until(|| rig.proxy.view().budgets.memory.rejections() >= 31).await;
    latch.open();
    let mut statuses = within(clients).await.unwrap();
    statuses.sort_unstable();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 69, "{statuses:?}");
    assert_eq!(statuses[69..], [503; 31]);
}

#[tokio::test]
async fn large_heads_count_against_the_memory_and_small_ones_pass() {
    let rig = Plan::default().top("max_memory: 1MiB").start().await;
    let head = format!("GET /api/customers HTTP/1.1\r\nHost: erp\r\nX-Filling: {}", "x".repeat(100_000));
    let mut waiting = Vec::new();
    for _ in 0..5 {
        let mut client = Wire::connect(rig.address()).await;
        client.send(&head).await;
        waiting.push(client);
    }
    until(|| memory(&rig) > 5 * 200_000).await;
    let mut client = Wire::connect(rig.address()).await;
    client.send(&head).await;
    let (status, text) = rejection(&mut client).await;
    assert!(status == 503 && text.contains("`max_memory`"), "{status} {text}");
    assert_eq!(rig.get("/api/customers").await.status, 200);
    for mut client in waiting {
        client.send("\r\n\r\n").await;
        assert_eq!(client.response().await.0.status(), StatusCode::OK);
    }
    until(|| memory(&rig) == 0).await;
}
