//! Bodies that are a lot of work: rejected at a bound, and inspected where they keep nobody waiting.

use std::io::Write;
use std::net::Ipv4Addr;
use std::sync::mpsc;

use hyper::Method;

use crate::batch_bad::gzip;
use crate::rig::{Plan, Rejection, Rig, shared, until};
use crate::status::AdminRig;
use crate::wire::Wire;

const JSON: (&str, &str) = ("content-type", "application/json");
const GZIP: (&str, &str) = ("content-encoding", "gzip");

fn list(count: usize, item: &str) -> String {
    format!("[{}]", vec![item; count].join(","))
}

/// A body with so many addresses.
fn binds(count: usize) -> String {
    format!(r#"{{"displayName":"New","x@odata.bind":{}}}"#, list(count, r#""items(1)""#))
}

/// A batch whose requests have these bodies.
fn batch(bodies: &[String]) -> String {
    let part =
        |(id, body): (usize, &String)| format!(r#"{{"id":"{id}","method":"POST","url":"customers","body":{body}}}"#);
    let parts: Vec<String> = bodies.iter().enumerate().map(part).collect();
    format!(r#"{{"requests":[{}]}}"#, parts.join(","))
}

fn object(members: usize) -> String {
    let members: Vec<String> = (0..members).map(|number| format!(r#""m{number}":"""#)).collect();
    format!("{{{}}}", members.join(","))
}

/// A body of several hundred KiB that passes.
fn large() -> String {
    format!(r#"{{"displayName":"New"{}}}"#, " ".repeat(300 << 10))
}

async fn rejected(rig: &Rig, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Rejection {
    rig.send(Method::POST, path, headers, body).await.rejection()
}

#[tokio::test]
async fn work_beyond_a_bound_is_rejected_with_the_bound_and_nothing_is_sent() {
    let rig = Rig::new().await;
    let (entity, events, batches) = ("/api/customers", "/api/externaleventsubscriptions", "/api/$batch");
    let half = binds(5_001);
    let headers_of_part =
        format!(r#"{{"requests":[{{"id":"1","method":"GET","url":"items","headers":{}}}]}}"#, object(251));
    for (path, body, status, says) in [
        (entity, binds(10_001), 413, "10,000 addresses"),
        (entity, list(10_001, r#"{"@odata.id":"items(1)"}"#), 413, "10,000 addresses"),
        (entity, binds(200_000), 413, "10,000 addresses"),
        (entity, list(1_000_001, "0"), 413, "1,000,000 values"),
        (entity, format!(r#"{{"a":{}}}"#, list(1_500_000, "0")), 413, "1,000,000 values"),
        (entity, format!("{}0{}", "[".repeat(300_000), "]".repeat(300_000)), 400, "recursion limit"),
        (events, binds(10_001), 413, "10,000 addresses"),
        (events, list(1_000_001, "0"), 413, "1,000,000 values"),
        (events, object(251), 400, "250 members"),
        (batches, batch(&[half.clone(), half]), 413, "10,000 addresses"),
        (batches, batch(&[list(1_000_001, "0")]), 413, "1,000,000 values"),
        (batches, format!(r#"{{"requests":{}}}"#, list(1_500_000, "0")), 400, "101 requests"),
        (batches, object(50_000), 400, "250 members"),
        (batches, headers_of_part, 400, "250 members"),
    ] {
        for (headers, body) in [(vec![JSON], body.clone().into_bytes()), (vec![JSON, GZIP], gzip(body.as_bytes()))] {
            let rejection = rejected(&rig, path, &headers, body).await;
            let is = |meant, part| rejection.status == meant && rejection.message.contains(part);
            // These repeat themselves so much that gzip exceeds its own bound first.
            let is_bomb = headers.contains(&GZIP) && is(413, "100 times");
            assert!(is(status, says) || is_bomb, "{path} {headers:?}: {rejection:?}");
            assert!(rejection.code.starts_with("Proxy_"), "{rejection:?}");
        }
    }
    assert!(rig.received().is_empty());
}

#[tokio::test]
async fn gzip_that_opens_to_more_than_a_hundred_times_its_size_is_rejected() {
    let rig = Rig::new().await;
    let spaces = " ".repeat(1 << 20);
    for body in [format!("{spaces} "), format!("{}{}", binds(10_000), spaces.repeat(10)), spaces.repeat(20)] {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(body.as_bytes()).unwrap();
        let body = encoder.finish().unwrap();
        for path in ["/api/customers", "/api/$batch", "/api/externaleventsubscriptions"] {
            let rejection = rejected(&rig, path, &[JSON, GZIP], body.clone()).await;
            assert_eq!((rejection.status, rejection.code.as_str()), (413, "Proxy_TooLarge"), "{path}");
            assert!(rejection.message.contains("100 times"), "{}", rejection.message);
        }
    }
    assert!(rig.received().is_empty());
    // Up to 1 MiB, any ratio is fine.
    let compressed = gzip(format!(r#"{{"displayName":"New"{}}}"#, " ".repeat(1_000_000)).as_bytes());
    rig.send(Method::POST, "/api/customers", &[JSON, GZIP], compressed.clone()).await;
    assert!(rig.received().pop().unwrap().body == compressed);
}

#[tokio::test]
async fn work_within_the_bounds_passes_unchanged() {
    let rig = Rig::new().await;
    for body in [binds(10_000), large(), object(10_000)] {
        rig.post_json("/api/customers", &body).await;
        assert!(rig.received().pop().unwrap().body == body.as_bytes(), "{body:.60}");
        rig.post_json("/api/$batch", &batch(std::slice::from_ref(&body))).await;
        let sent = String::from_utf8(rig.received().pop().unwrap().body.to_vec()).unwrap();
        assert!(sent.starts_with(r#"{"requests":[{"id":"0","#) && sent.contains(&body), "{sent:.60}");
    }
}

#[tokio::test]
async fn work_beyond_a_bound_passes_as_it_came_where_any_company_can_be_reached() {
    let rig = Plan::default().connector("company: -").start().await;
    let company = rig.simulator.settings().companies[0].id;
    let path = format!("/api/companies({company})/salesOrders");
    for body in [binds(10_001), binds(90_000)] {
        rig.post_json(&path, &body).await;
        assert!(rig.received().pop().unwrap().body == body.as_bytes(), "{body:.60}");
        let bomb = gzip(body.as_bytes());
        rig.send(Method::POST, &path, &[JSON, GZIP], bomb.clone()).await;
        assert!(rig.received().pop().unwrap().body == bomb, "{body:.60}");
    }
}

/// Keeps all threads of the pool busy until it is dropped.
struct BusyPool {
    _ends: Vec<mpsc::Sender<()>>,
}

impl BusyPool {
    async fn new(rig: &Rig) -> Self {
        let mut ends = Vec::new();
        while rig.proxy.inspection_pool().waiting() == 0 {
            let (pool, (end, ended)) = (rig.proxy.inspection_pool().clone(), mpsc::channel::<()>());
            let client = Ipv4Addr::new(127, 0, 0, 9).into();
            tokio::spawn(async move { pool.thread(client).await.run(async move { ended.recv().is_ok() }).await });
            ends.push(end);
            tokio::task::yield_now().await;
        }
        // The last of them waits for a thread.
        ends.pop();
        let busy = Self { _ends: ends };
        until(|| rig.proxy.inspection_pool().waiting() == 1).await;
        busy
    }
}

#[tokio::test]
async fn others_and_livez_are_served_while_every_thread_that_inspects_is_busy() {
    let rig = shared(Plan::default()).await;
    let admin = AdminRig::of(&rig).await;
    let busy = BusyPool::new(&rig).await;
    let waiting = rig.proxy.inspection_pool().waiting();
    let posts: Vec<_> = [(large().into_bytes(), vec![JSON]), (gzip(large().as_bytes()), vec![JSON, GZIP])]
        .into_iter()
        .map(|(body, headers)| {
            let rig = rig.clone();
            tokio::spawn(async move { rig.send(Method::POST, "/api/customers", &headers, body).await })
        })
        .collect();
    until(|| rig.proxy.inspection_pool().waiting() == waiting + 2).await;
    assert_eq!(rig.get("/api/customers?$top=1").await.status, 200);
    assert_eq!(rig.post_json("/api/customers", r#"{"displayName":"small"}"#).await.status, 201);
    assert_eq!(admin.ask("/livez").await.status, 200);
    assert_eq!(rig.proxy.inspection_pool().waiting(), waiting + 2);
    drop(busy);
    for post in posts {
        post.await.unwrap();
    }
    let posted = rig.received().into_iter().filter(|received| received.method == Method::POST);
    assert_eq!(posted.count(), 3);
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_body_out_of_the_queue() {
    let rig = Rig::new().await;
    let busy = BusyPool::new(&rig).await;
    let waiting = rig.proxy.inspection_pool().waiting();
    let (mut client, body) = (Wire::connect(rig.address()).await, large());
    let head = format!(
        "POST /api/customers HTTP/1.1\r\nHost: erp\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    client.send(head + &body).await;
    until(|| rig.proxy.inspection_pool().waiting() == waiting + 1).await;
    drop(client);
    until(|| rig.proxy.inspection_pool().waiting() == waiting).await;
    drop(busy);
    assert_eq!(rig.post_json("/api/customers", &large()).await.status, 201);
    assert_eq!(rig.received().iter().filter(|received| received.method == Method::POST).count(), 1);
}
