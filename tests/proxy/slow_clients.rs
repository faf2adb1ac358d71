//! Clients that are slow, many or silent: each costs little, and none keeps the others waiting.

use std::io::ErrorKind;
use std::time::Duration;

use bcproxy::proxy::Outcome;
use bcproxy::simulator::{Script, Times};
use hyper::StatusCode;

use crate::rig::{HeldClock, Plan, Rig, shared, within};
use crate::wire::Wire;

#[tokio::test]
async fn a_client_at_its_connection_limit_is_rejected_and_others_are_served() {
    let plan = Plan::default()
        .top("max_connections: { total: 3, per_client: 2 }")
        .top("listen: 0.0.0.0:0\naccess: { allow_from: [ 127.0.0.0/8 ], hosts: [ erp ] }");
    let rig = plan.start().await;
    let connect = async |last: u8| Wire::over(rig.connect_from(last).await);
    const ASK: &str = "GET /api/customers?$top=1 HTTP/1.1\r\nHost: erp\r\n\r\n";
    let mut own = Vec::new();
    for _ in 0..2 {
        let mut client = connect(1).await;
        client.send(ASK).await;
        assert_eq!(client.response().await.0.status(), 200);
        own.push(client);
    }
    let mut third = connect(1).await;
    third.send(ASK).await;
    let (head, body) = third.response().await;
    assert_eq!((head.status(), head.header("connection")), (StatusCode::SERVICE_UNAVAILABLE, Some("close")));
    assert!(head.header("retry-after").is_some());
    let body = String::from_utf8(body).unwrap();
    assert!(body.contains("Proxy_TooManyConnections") && body.contains("`per_client` of `max_connections`"), "{body}");

    let mut other = connect(2).await;
    other.send(ASK).await;
    assert_eq!(other.response().await.0.status(), 200);
    let mut fourth = connect(3).await;
    fourth.send(ASK).await;
    let body = String::from_utf8(fourth.response().await.1).unwrap();
    assert!(body.contains("`total` of `max_connections`"), "{body}");

    own.pop();
    // The place is free once the proxy has seen that its client left.
    within(async {
        loop {
            let mut again = connect(1).await;
            again.send(ASK).await;
            if again.response().await.0.status() == 200 {
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_that_stops_coming_is_given_up_and_nothing_of_it_was_sent() {
    let clock = HeldClock::new();
    let rig = Rig::new().await;
    assert_eq!(rig.get("/api/customers").await.status, 200);
    let before = rig.received().len();
    let mut client = Wire::connect(rig.address()).await;
    client
        .send("POST /api/customers HTTP/1.1\r\nHost: erp\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n")
        .await;
    // It waits for the body now.
    assert_eq!(client.head().await.status(), 100);
    clock.advance(Duration::from_secs(61)).await;
    let (head, body) = client.response().await;
    assert_eq!((head.status(), head.header("connection")), (StatusCode::REQUEST_TIMEOUT, Some("close")));
    assert!(String::from_utf8(body).unwrap().contains("Nothing was carried out"));
    assert_eq!(rig.received().len(), before);
}

#[tokio::test]
async fn a_connection_is_kept_as_long_as_the_configuration_says() {
    let clock = HeldClock::new();
    let rig = Plan::default().top("keep_alive: 20s").start().await;
    let mut client = Wire::connect(rig.address()).await;
    for pause in [19, 21] {
        client.send("GET /api/customers?$top=1 HTTP/1.1\r\nHost: erp\r\n\r\n").await;
        assert_eq!(client.response().await.0.status(), 200);
        // It rests after two seconds, and what the clock skips at once it does not see.
        clock.advance(Duration::from_secs(3)).await;
        clock.advance(Duration::from_secs(pause - 3)).await;
    }
    let (rest, end) = client.rest().await;
    assert!(rest.is_empty());
    end.unwrap();
}

#[tokio::test]
async fn whoever_sends_a_head_slowly_keeps_nobody_waiting() {
    let clock = HeldClock::new();
    let plan = Plan::default().connector("limits: { concurrency: 1 }");
    let rig = plan.start().await;
    assert_eq!(rig.get("/api/customers").await.status, 200);
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut client = Wire::connect(rig.address()).await;
        client.send("GET /api/customers HTTP/1.1\r\nHost: erp\r\nX-A").await;
        slow.push(client);
    }
    // A body in the making is no request in work either.
    let mut upload = Wire::connect(rig.address()).await;
    upload
        .send("POST /api/customers HTTP/1.1\r\nHost: erp\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n")
        .await;
    assert_eq!(upload.head().await.status(), 100);
    assert_eq!(rig.get("/api/customers").await.status, 200);
    clock.advance(Duration::from_secs(11)).await;
    for mut client in slow {
        client.rest().await.1.unwrap();
    }
}

async fn connect(rig: &Rig, is_secured: bool) -> Wire {
    if !is_secured {
        return Wire::connect(rig.address()).await;
    }
    let tls = bcproxy::tls::client_config(Some(&rig.folder.path().join("local-ca.pem"))).unwrap();
    Wire::connect_tls(rig.address(), tls).await.unwrap()
}

/// Has more asked for than any buffer holds, and takes the head of the answer.
async fn ask_for_much(rig: &Rig, client: &mut Wire) {
    rig.script(Times::Next(1), Script::response(StatusCode::OK).fill(MUCH));
    client.take_in_little();
    client.send("GET /api/items HTTP/1.1\r\nHost: erp\r\n\r\n").await;
    assert_eq!(client.head().await.status(), 200);
}

const MUCH: u64 = 16 << 20;

/// Has an answer taken in drips until it is cut; after how long that is, and why. Meanwhile another one may wait for
/// its place.
async fn drip(clock: &HeldClock, is_secured: bool, bytes_a_second: usize, another_waits: bool) -> (Duration, String) {
    const STEP: Duration = Duration::from_secs(50);
    let plan = Plan::default().connector("limits: { concurrency: 1, wait: 24h }");
    let plan = plan.connector("timeouts: { body_idle: 4h }");
    // One token lasts for all of it: nothing else happens while the clock leaps.
    let plan = plan.settings(|settings| settings.token_lifetime = 12 * LONGEST_PAUSE);
    let rig = shared(if is_secured { plan.secured() } else { plan }).await;
    let mut dripping = connect(&rig, is_secured).await;
    ask_for_much(&rig, &mut dripping).await;
    let ask = |rig: std::sync::Arc<Rig>| async move {
        let mut next = connect(&rig, is_secured).await;
        next.send("GET /api/customers HTTP/1.1\r\nHost: erp\r\n\r\n").await;
        next.response().await.0.status()
    };
    let waiting = another_waits.then(|| tokio::spawn(ask(rig.clone())));
    let view = rig.proxy.view();
    let mut passed = Duration::ZERO;
    while view.records.problems.latest().is_empty() {
        assert!(waiting.as_ref().is_none_or(|waiting| !waiting.is_finished()), "after {passed:?}");
        assert!(passed < 2 * LONGEST_PAUSE);
        dripping.sip(bytes_a_second * STEP.as_secs() as usize).await.unwrap();
        clock.advance(STEP).await;
        passed += STEP;
        // The network has its turn.
        Wire::connect(rig.address()).await;
    }
    let next = waiting.unwrap_or_else(|| tokio::spawn(ask(rig.clone())));
    assert_eq!(within(next).await.unwrap(), StatusCode::OK);
    let (_, end) = dripping.rest().await;
    assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset, "a cut answer looks cut");
    let cut = view.routes.iter().map(|route| route.tally.counts().responses);
    let cut = cut.flatten().filter(|((_, outcome), _)| *outcome == Outcome::ClientStalled);
    assert_eq!(cut.map(|(_, count)| count).sum::<u64>(), 1);
    (passed, view.records.problems.latest()[0].reason.clone())
}

const LONGEST_PAUSE: Duration = Duration::from_secs(4 * 3600);

#[tokio::test]
async fn a_client_that_reads_in_drips_is_disconnected_and_its_slot_is_free() {
    let clock = HeldClock::new();
    for is_secured in [false, true] {
        // In four hours the system has room for more, so it takes something all the time, and too little.
        let (passed, reason) = drip(&clock, is_secured, 100, false).await;
        assert!(passed > LONGEST_PAUSE, "after {passed:?}");
        assert!(reason.contains("less than 240 bytes a second") && reason.contains("14400 s"), "{reason}");
    }
}

#[tokio::test]
async fn a_slow_client_has_a_minute_while_others_wait_for_its_slot() {
    let clock = HeldClock::new();
    for is_secured in [false, true] {
        let (passed, reason) = drip(&clock, is_secured, 10, true).await;
        // Until its buffers are full, the system takes something: how much is the machine's affair.
        assert!(passed > Duration::from_secs(60) && passed < LONGEST_PAUSE / 8, "after {passed:?}");
        assert!(reason.contains("60 s (while others waited"), "{reason}");
    }
}

#[tokio::test]
async fn a_client_that_pauses_between_reads_is_given_the_time() {
    let clock = HeldClock::new();
    for is_secured in [false, true] {
        let plan = Plan::default().settings(|settings| settings.token_lifetime = Duration::from_secs(24 * 3600));
        let rig = if is_secured { plan.secured() } else { plan }.start().await;
        let mut client = connect(&rig, is_secured).await;
        ask_for_much(&rig, &mut client).await;
        // A user has to answer something first; then a record of 400 bytes a second. It fills no buffer of the system's
        // in `body_idle`.
        clock.advance(Duration::from_secs(300)).await;
        for _ in 0..200 {
            client.sip(8000).await.unwrap();
            clock.advance(Duration::from_secs(20)).await;
            Wire::connect(rig.address()).await;
        }
        client.count(MUCH - 200 * 8000).await;
    }
}
