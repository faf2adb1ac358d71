//! Another configuration without a restart: nothing that did not change is lost, and a file that can't be used changes
//! nothing.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bcproxy::config::Config;
use bcproxy::proxy::Proxy;
use bcproxy::simulator::{Latch, Script, Times};
use hyper::{Method, StatusCode};
use tokio_util::sync::CancellationToken;

use crate::rig::{HeldClock, Plan, Prepared, Rig, send, within};
use crate::wire::Wire;

impl Prepared {
    fn text(&self) -> String {
        std::fs::read_to_string(&self.file).unwrap()
    }
}

/// Has the proxy serve what this text says.
async fn reload(rig: &mut Rig, text: &str) {
    reload_from(&mut rig.proxy, rig.folder.path(), text).await.unwrap();
}

async fn reload_from(proxy: &mut Proxy, folder: &Path, text: &str) -> Result<(), String> {
    let file = folder.join("proxy.yaml");
    std::fs::write(&file, text).unwrap();
    let config = Config::load(&file).map_err(|mistakes| mistakes.to_string())?.config;
    proxy.reload(&config).await.map_err(|error| error.to_string())
}

fn sockets(rig: &Rig) -> Vec<SocketAddr> {
    rig.proxy.addresses().into_iter().map(|address| address.socket).collect()
}

async fn status(address: SocketAddr, path: &str) -> StatusCode {
    send(address, Method::GET, path, &[], "").await.status
}

/// A rig whose connector lets one request through at a time, its configuration, and a client whose answer waits for the
/// latch.
async fn with_its_only_place_taken() -> (Rig, String, Latch, Wire) {
    let prepared = Plan::default().connector("limits: { concurrency: 1 }").top(ROUTE).prepare().await;
    let text = prepared.text();
    let rig = prepared.start().await;
    let latch = Latch::closed();
    rig.script(Times::Next(1), Script::ordinary().hold_head(&latch));
    let mut first = Wire::connect(rig.address()).await;
    first.send("GET /one/items HTTP/1.1\r\nHost: erp\r\n\r\n").await;
    rig.wait_for(|received| received.len() == 1).await;
    (rig, text, latch, first)
}

const ROUTE: &str = "routes: [ { path: /one, to: api/v2.0 } ]";

#[tokio::test]
async fn routes_change_and_the_connector_keeps_its_token_its_company_and_its_connection() {
    let prepared = Plan::default().top(ROUTE).prepare().await;
    let text = prepared.text();
    let mut rig = prepared.start().await;
    assert_eq!(status(rig.address(), "/one/customers").await, 200);
    let asked = rig.simulator.received().len();

    reload(&mut rig, &text.replace("/one", "/two")).await;
    assert_eq!(status(rig.address(), "/one/customers").await, 404);
    assert_eq!(status(rig.address(), "/two/customers").await, 200);
    let received = rig.simulator.received();
    assert_eq!((received.len(), rig.simulator.token_requests()), (asked + 1, 1), "nothing was looked up again");
    assert_eq!(received[asked].connection, received[asked - 1].connection);
}

#[tokio::test]
async fn what_a_connector_changes_is_made_anew_and_the_rest_kept() {
    let prepared = Plan::default().prepare().await;
    let text = prepared.text();
    let mut rig = prepared.start().await;
    assert_eq!(status(rig.address(), "/api/customers").await, 200);

    let other = rig.simulator.settings().companies[1].clone();
    let first = &rig.simulator.settings().companies[0].name.clone();
    reload(&mut rig, &text.replace(first.as_str(), &other.name)).await;
    assert_eq!(status(rig.address(), "/api/customers").await, 200);
    let received = rig.received();
    assert!(received.last().unwrap().target.contains(&other.id.to_string()), "{received:?}");
    assert_eq!(rig.simulator.token_requests(), 1);

    reload(&mut rig, &text.replace("    company:", "    timeouts: { token: 9s }\n    company:")).await;
    assert_eq!(status(rig.address(), "/api/customers").await, 200);
    assert_eq!(rig.simulator.token_requests(), 2);
}

#[tokio::test]
async fn another_certificate_in_the_same_file_is_another_trust() {
    let prepared = Plan::default().prepare().await;
    let text = prepared.text();
    let mut rig = prepared.start().await;
    assert_eq!(status(rig.address(), "/api/customers").await, 200);
    let stranger = bcproxy::simulator::Simulator::start(Default::default()).await.unwrap();
    let ca_file = rig.folder.path().join("ca.pem");
    std::fs::write(&ca_file, stranger.ca_pem()).unwrap();
    reload(&mut rig, &text).await;
    assert_eq!(status(rig.address(), "/api/customers").await, 503);
    std::fs::write(&ca_file, rig.simulator.ca_pem()).unwrap();
    reload(&mut rig, &text).await;
    assert_eq!(status(rig.address(), "/api/customers").await, 200);
}

#[tokio::test]
async fn a_request_under_way_ends_as_it_began_and_its_limiter_counts_it_on() {
    let (mut rig, text, latch, mut first) = with_its_only_place_taken().await;

    reload(&mut rig, &text.replace("/one", "/two")).await;
    let mut second = Wire::connect(rig.address()).await;
    second.send("GET /two/items HTTP/1.1\r\nHost: erp\r\n\r\n").await;
    // With more room, the one that waits since then goes through; had it not waited, Business Central would have seen
    // it before.
    assert_eq!(rig.received().len(), 1);
    reload(&mut rig, &text.replace("/one", "/two").replace("concurrency: 1", "concurrency: 2")).await;
    assert_eq!(second.response().await.0.status(), 200);
    latch.open();
    let (head, body) = first.response().await;
    assert_eq!(head.status(), 200);
    assert!(String::from_utf8(body).unwrap().contains("\"value\""));
    first.send("GET /two/customers HTTP/1.1\r\nHost: erp\r\n\r\n").await;
    assert_eq!(first.response().await.0.status(), 200, "the connection outlives the configuration it was opened under");
}

#[tokio::test]
async fn a_queued_request_proceeds_when_the_limits_are_switched_off() {
    let (mut rig, text, latch, mut first) = with_its_only_place_taken().await;
    let mut second = Wire::connect(rig.address()).await;
    second.send("GET /one/items HTTP/1.1\r\nHost: erp\r\n\r\n").await;
    rig.limiter_at(2).await;

    reload(&mut rig, &text.replace("limits: { concurrency: 1 }", "limits: off")).await;
    assert_eq!(second.response().await.0.status(), 200);
    latch.open();
    assert_eq!(first.response().await.0.status(), 200);
}

#[tokio::test]
async fn addresses_come_and_go_and_those_that_stay_drop_nobody() {
    let prepared = Plan::default().prepare().await;
    let text = prepared.text();
    let mut rig = prepared.start().await;
    let retained = rig.address();
    let mut client = Wire::connect(retained).await;
    client.send("GET /api/customers HTTP/1.1\r\nHost: erp\r\n\r\n").await;
    assert_eq!(client.response().await.0.status(), 200);

    reload(&mut rig, &text.replace("listen: 127.0.0.1:0", "listen: [ 127.0.0.1:0, 127.0.0.2:0 ]")).await;
    let addresses = sockets(&rig);
    assert_eq!((addresses.len(), addresses[0]), (2, retained));
    let added = addresses[1];
    assert_eq!(status(added, "/api/customers").await, 200);
    let latch = Latch::closed();
    rig.script(Times::Next(1), Script::ordinary().hold_head(&latch));
    let mut busy = Wire::connect(added).await;
    busy.send("GET /api/items HTTP/1.1\r\nHost: erp\r\n\r\n").await;
    rig.wait_for(|received| received.iter().any(|one| one.target.contains("/items"))).await;
    let mut idle = Wire::connect(added).await;
    idle.send("GET /api/customers HTTP/1.1\r\nHost: erp\r\n\r\n").await;
    assert_eq!(idle.response().await.0.status(), 200);

    reload(&mut rig, &text).await;
    assert_eq!(sockets(&rig), [retained]);
    idle.rest().await.1.unwrap();
    latch.open();
    let (head, _) = busy.response().await;
    assert_eq!((head.status(), head.header("connection")), (StatusCode::OK, Some("close")));
    within(async {
        while tokio::net::TcpStream::connect(added).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    client.send("GET /api/customers HTTP/1.1\r\nHost: erp\r\n\r\n").await;
    assert_eq!(client.response().await.0.status(), 200, "the connection to the address that stayed was not touched");
}

/// A port that no address of this machine has in use. It is from the range that systems do not hand out by themselves:
/// other tests can't get it at another loopback address.
fn port_of_all_addresses() -> u16 {
    std::iter::repeat_with(|| fastrand::u16(20_000..32_000))
        .take(1_000)
        .find(|port| std::net::TcpListener::bind(("0.0.0.0", *port)).is_ok())
        .expect("a free port")
}

#[tokio::test]
async fn an_address_gives_way_to_the_one_that_includes_it() {
    let prepared = Plan::default().top("access: { allow_from: [ 127.0.0.0/8 ] }").prepare().await;
    let text = prepared.text();
    let mut rig = prepared.start().await;
    let (given, chosen) = (rig.address().port(), port_of_all_addresses());
    // The same port by its number is another wish than any port: the two change places.
    for (address, port) in [("127.0.0.1", given), ("127.0.0.1", chosen), ("0.0.0.0", chosen), ("127.0.0.1", chosen)] {
        reload(&mut rig, &text.replace("127.0.0.1:0", &format!("{address}:{port}"))).await;
        assert_eq!(status(SocketAddr::from(([127, 0, 0, 1], port)), "/api/customers").await, 200, "{address}:{port}");
    }
}

#[tokio::test]
async fn what_can_not_be_opened_or_read_changes_nothing() {
    let prepared = Plan::default().prepare().await;
    let text = prepared.text();
    let mut rig = prepared.start().await;
    let before = rig.address();
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let holder = std::net::TcpListener::bind(taken).unwrap();
    for (changed, reason) in [
        (text.replace("127.0.0.1:0", &taken.to_string()), "another program"),
        (text.replace("listen: 127.0.0.1:0", &format!("listen: [ 127.0.0.1:0, '{taken}' ]")), "another program"),
        (text.replace("tenant_id", "tenantid"), "did you mean `tenant_id`?"),
    ] {
        let folder = rig.folder.path().to_owned();
        let error = reload_from(&mut rig.proxy, &folder, &changed).await.unwrap_err();
        assert!(error.contains(reason), "{error}");
        assert_eq!(sockets(&rig), [before]);
        assert_eq!(status(before, "/api/customers").await, 200);
    }
    drop(holder);
}

/// The load of the tests below: on connections that are kept, until told to stop; how many requests were answered, and
/// all with 200.
async fn load(address: SocketAddr, path: String, stop: CancellationToken) -> usize {
    let mut client = Wire::connect(address).await;
    let mut count = 0;
    while !stop.is_cancelled() || count == 0 {
        client.send(format!("GET {path} HTTP/1.1\r\nHost: erp\r\n\r\n")).await;
        let (head, body) = client.response().await;
        assert_eq!(head.status(), 200, "{}", String::from_utf8_lossy(&body));
        count += 1;
    }
    count
}

#[tokio::test]
async fn a_hundred_reloads_and_a_thousand_tokens_fail_no_request() {
    const CONNECTORS: usize = 10;
    let clock = HeldClock::new();
    let mut plan = Plan::default().settings(|settings| settings.token_refresh_in = Some(Duration::from_secs(1)));
    let mut routes = String::from("routes:\n  - { path: /r0, to: api/v2.0, connector: cronus }\n");
    for number in 1..CONNECTORS {
        // Another patience is another way to ask for the token, so each connector has one of its own.
        let timeouts = format!("timeouts: {{ token: {}s, connect: 10m }}", 600 + number);
        plan = plan.another_connector(&format!("c{number}"), &[&timeouts, "limits: off"]);
        routes += &format!("  - {{ path: /r{number}, to: api/v2.0, connector: c{number} }}\n");
    }
    let prepared = plan.top(&routes).prepare().await;
    let text = prepared.text();
    let mut rig = prepared.start().await;
    let stop = CancellationToken::new();
    let clients: Vec<_> = (0..CONNECTORS)
        .map(|number| tokio::spawn(load(rig.address(), format!("/r{number}/customers?$top=1"), stop.clone())))
        .collect();
    for round in 0..100 {
        let text = match round % 4 {
            0 => text.replace("limits: off", "limits: { concurrency: 3 }"),
            1 => format!("{text}  - {{ path: /more, to: odata, connector: cronus }}\n"),
            2 => text.replace("listen: 127.0.0.1:0", "listen: [ 127.0.0.1:0, 127.0.0.2:0 ]"),
            _ => text.replace("company:", "companies: { Old: New }\n    company:"),
        };
        reload(&mut rig, &text).await;
        let tokens = (CONNECTORS * (round + 1)) as u64;
        // Each asks for its next token a second after it has got the one before.
        within_the_clock(&clock, &rig, rig.simulator.entra().wait_for_token_requests(tokens)).await;
    }
    stop.cancel();
    for client in clients {
        client.await.unwrap();
    }
    assert!(rig.simulator.token_requests() >= 1_000);
}

/// Advances the clock by a second, and again after each whole exchange in which the event did not happen. The clock
/// must not run ahead of the network.
async fn within_the_clock<T>(clock: &HeldClock, rig: &Rig, event: impl Future<Output = T>) -> T {
    let mut event = std::pin::pin!(event);
    loop {
        clock.advance(Duration::from_secs(1)).await;
        tokio::select! {
            biased;
            result = &mut event => return result,
            response = rig.get("/r1/customers?$top=1") => assert_eq!(response.status, 200),
        }
    }
}
