//! Every way Entra can fail to give a token, in the words of the person who has to fix it.

use std::time::Duration;

use bcproxy::simulator::{Fault, Latch, Simulator, Times};
use bytes::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use uuid::Uuid;

use crate::rig::{HeldClock, Plan, Rig, at_once, send, within};

/// Who has to fix it: an administrator, or nobody because time and network will.
#[derive(Clone, Copy)]
enum Side {
    Ours,
    Theirs,
}

/// A proxy that gets no token says why, on every surface, and asks Entra once for however many requests.
async fn assert_no_token(rig: &Rig, what: &str, side: Side, named: &[&str]) -> u64 {
    let response = rig.get("/api/customers").await;
    let rejection = response.rejection();
    assert_eq!((rejection.status, rejection.code.as_str()), (503, "Proxy_NoToken"), "{what}");
    let error = match side {
        Side::Ours => "proxy_configuration_error",
        Side::Theirs => "destination_unavailable",
    };
    assert_eq!(response.headers["proxy-status"], format!("bcproxy; error={error}"), "{what}");
    for part in named {
        assert!(rejection.message.contains(part), "{what} should name {part}: {}", rejection.message);
    }
    assert!(rejection.message.ends_with('.') && !rejection.message.contains(&rig.simulator.settings().client_secret));
    let asked = (rig.simulator.token_requests(), rig.simulator.entra().rejected_connections());

    let address = rig.address();
    for again in at_once(50, move |_| send(address, Method::GET, "/odata/Customer", &[], "")).await {
        assert_eq!(again.rejection(), rejection, "{what}");
    }
    assert_eq!(rig.call_soap("/soap/Codeunit/Tools").await.rejection(), rejection, "{what}");
    let asked_now = (rig.simulator.token_requests(), rig.simulator.entra().rejected_connections());
    assert_eq!(asked_now, asked, "{what}: Entra is left alone");
    assert!(rig.simulator.received().is_empty(), "{what}: nothing is sent without a token");
    response.retry_after()
}

#[tokio::test]
async fn a_token_request_that_fails_is_retried_while_clients_wait() {
    for fault in [Fault::Unreachable, Fault::unavailable(None), Fault::Html(StatusCode::BAD_GATEWAY)] {
        let rig = Plan::default().start_after(|simulator| simulator.entra().fail(fault, Times::Next(3))).await;
        let address = rig.address();
        for response in at_once(20, move |_| send(address, Method::GET, "/api/customers", &[], "")).await {
            assert_eq!(response.status, 200, "{}", response.text());
        }
    }
}

#[tokio::test]
async fn a_wrong_set_up_is_named_and_entra_is_asked_once() {
    let unknown = Uuid::from_u128(0xdead);
    let (other_client, other_tenant) = (format!("client_id: {unknown}"), format!("tenant_id: {unknown}"));
    type Prepare = fn(&Simulator);
    let secret: Prepare = |simulator| simulator.entra().replace_secrets(simulator.settings().client_id, "another");
    let expired: Prepare = |simulator| {
        simulator.entra().expire_secret(simulator.settings().client_id, &simulator.settings().client_secret)
    };
    let as_it_is: Prepare = |_| {};
    let consent: Prepare = |simulator| simulator.entra().fail(Fault::aadsts(650056), Times::Always);
    let cases: [(&str, &str, Prepare, &[&str]); 6] = [
        (
            "no permission",
            "",
            consent,
            &["AADSTS650056", "Grant admin consent", "/adminconsent?client_id=", "and accept."],
        ),
        ("wrong secret", "", secret, &["AADSTS7000215", "Certificates & secrets", "Value", "client_secret"]),
        ("expired secret", "", expired, &["AADSTS7000222", "has expired", "create a new one"]),
        (
            "unknown client",
            &other_client,
            as_it_is,
            &["AADSTS700016", "compare `client_id`", "Application (client) ID"],
        ),
        ("wrong tenant", &other_tenant, as_it_is, &["AADSTS90002", "Compare `tenant_id`", "Directory (tenant) ID"]),
        ("wrong scope", "scope: https://example.com/.default", as_it_is, &["AADSTS70011", "Remove `scope`"]),
    ];
    let _clock = HeldClock::new();
    for (what, line, prepare, named) in cases {
        let plan = if line.is_empty() { Plan::default() } else { Plan::default().connector(line) };
        let rig = plan.start_after(prepare).await;
        let retry_after = assert_no_token(&rig, what, Side::Ours, named).await;
        assert!((12..=19).contains(&retry_after), "{what}: {retry_after}");
        assert_eq!(rig.simulator.token_requests(), 1, "{what}");
    }
}

#[tokio::test]
async fn a_fault_of_entra_or_of_the_way_to_it_is_named() {
    let unavailable = Fault::unavailable(None);
    let html = |status| Fault::Html(StatusCode::from_u16(status).unwrap());
    let response = |status: u16, header: (&'static str, &'static str), body: Bytes| {
        let header = (HeaderName::from_static(header.0), HeaderValue::from_static(header.1));
        Fault::Response { status: StatusCode::from_u16(status).unwrap(), headers: vec![header], body }
    };
    let json = ("content-type", "application/json");
    let huge = Bytes::from(vec![b' '; 10 << 20]);
    let cases: [(&str, Fault, &[&str]); 10] = [
        (
            "an empty answer",
            response(200, json, Bytes::new()),
            &["200 OK", "(an empty body)", "intercepting web proxy"],
        ),
        ("10 MB", response(200, json, huge.clone()), &["200 OK", "(the body exceeds 64 KiB)"]),
        ("10 MB with an error", response(400, json, huge), &["400 Bad Request", "(the body exceeds 64 KiB)"]),
        (
            "a redirect",
            response(302, ("location", "https://elsewhere.example/"), Bytes::from_static(b"<html>")),
            &["302 Found", "(a redirect, which bcproxy does not follow with a credential)"],
        ),
        (
            "no token",
            Fault::Changed(|json| json["access_token"].take().as_str().map_or((), drop)),
            &["(no token in the body)"],
        ),
        (
            "no lifetime",
            Fault::Changed(|json| json["expires_in"] = 0.into()),
            &["(the lifetime of the token is invalid)"],
        ),
        ("unreachable", Fault::Unreachable, &["can't be reached", "localhost", "check the network"]),
        ("unavailable", unavailable, &["temporarily_unavailable", "AADSTS90033", "retries automatically"]),
        (
            "a web page",
            html(200),
            &["The server at localhost:", "200 OK", "not as Entra does (a web page)", "intercepting web proxy"],
        ),
        ("a web page with an error", html(502), &["502 Bad Gateway", "intercepting web proxy"]),
    ];
    let clock = HeldClock::new();
    for (what, fault, named) in cases {
        let rig =
            Plan::default().impatient().start_after(|simulator| simulator.entra().fail(fault, Times::Always)).await;
        let retry_after = assert_no_token(&rig, what, Side::Theirs, named).await;
        assert_eq!(retry_after, 1, "{what}");

        rig.simulator.entra().recover();
        clock.advance(Duration::from_secs(retry_after)).await;
        assert_eq!(rig.get("/api/customers").await.status, 200, "{what} is over");
    }
}

#[tokio::test]
async fn entras_wish_to_be_left_alone_is_honoured() {
    let clock = HeldClock::new();
    let busy = Fault::unavailable(Some(77));
    let rig = Plan::default().impatient().start_after(|simulator| simulator.entra().fail(busy, Times::Next(1))).await;
    assert_eq!(assert_no_token(&rig, "busy", Side::Theirs, &["temporarily_unavailable"]).await, 77);
    clock.advance(Duration::from_secs(76)).await;
    assert_eq!(rig.get("/api/customers").await.retry_after(), 1);
    assert_eq!(rig.simulator.token_requests(), 1);
    clock.advance(Duration::from_secs(1)).await;
    assert_eq!(rig.get("/api/customers").await.status, 200);
    assert_eq!(rig.simulator.token_requests(), 2);
}

#[tokio::test]
async fn an_authority_where_nothing_listens_is_named() {
    let _clock = HeldClock::new();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let rig = Plan::default().impatient().connector(&format!("authority: https://127.0.0.1:{port}")).start().await;
    assert_no_token(
        &rig,
        "nothing listens",
        Side::Theirs,
        &["can't be reached", "nothing listens there", "`authority`", &format!("127.0.0.1:{port}")],
    )
    .await;
}

#[tokio::test]
async fn an_entra_that_does_not_response_is_given_up_after_the_connectors_time() {
    let clock = HeldClock::new();
    let hold = Fault::Held(Latch::closed());
    let rig = Plan::default().impatient().start_after(|simulator| simulator.entra().fail(hold, Times::Next(1))).await;
    within(rig.simulator.entra().wait_for_token_requests(1)).await;
    clock.advance(Duration::from_millis(100)).await;
    let retry_after =
        assert_no_token(&rig, "held", Side::Theirs, &["did not respond within 0.1 s", "check the network"]).await;
    clock.advance(Duration::from_secs(retry_after)).await;
    assert_eq!(rig.get("/api/customers").await.status, 200);
}

#[tokio::test]
async fn a_secret_that_disappears_is_missed_when_the_token_has_ended_and_found_when_it_is_back() {
    let clock = HeldClock::new();
    let rig = Rig::new().await;
    let file = rig.folder.path().join("secret.txt");
    assert_eq!(rig.get("/api/customers").await.status, 200);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(rig.get("/api/customers").await.status, 200);
    clock.advance(Duration::from_secs(3600)).await;
    let response = rig.get("/api/customers").await;
    let rejection = response.rejection();
    assert_eq!((rejection.status, rejection.code.as_str()), (503, "Proxy_NoToken"));
    for part in ["secret.txt", "can't be read", "check the path"] {
        assert!(rejection.message.contains(part), "{}", rejection.message);
    }
    assert_eq!(rig.simulator.token_requests(), 1);

    std::fs::write(&file, &rig.simulator.settings().client_secret).unwrap();
    clock.advance(Duration::from_secs(response.retry_after())).await;
    assert_eq!(rig.get("/api/customers").await.status, 200);
}

#[tokio::test]
async fn a_secret_that_is_replaced_on_both_sides_is_used_after_the_pause_without_a_restart() {
    let clock = HeldClock::new();
    let replace =
        |simulator: &Simulator| simulator.entra().replace_secrets(simulator.settings().client_id, "the-new-one");
    let rig = Plan::default().start_after(replace).await;
    let response = rig.get("/api/customers").await;
    assert_eq!(response.status, 503);
    std::fs::write(rig.folder.path().join("secret.txt"), "the-new-one\n").unwrap();
    clock.advance(Duration::from_secs(response.retry_after())).await;
    assert_eq!(rig.get("/api/customers").await.status, 200);
    assert_eq!(rig.simulator.token_requests(), 2);
}

#[tokio::test]
async fn a_secret_that_is_changed_ends_the_pause_at_once() {
    let clock = HeldClock::new();
    let replace =
        |simulator: &Simulator| simulator.entra().replace_secrets(simulator.settings().client_id, "the-new-one");
    let rig = Plan::default().start_after(replace).await;
    assert_eq!(rig.get("/api/customers").await.status, 503);
    // Several failures later the pause is minutes.
    for _ in 1..6 {
        clock.advance(Duration::from_secs(400)).await;
        assert_eq!(rig.get("/api/customers").await.status, 503);
    }
    assert!(rig.get("/api/customers").await.retry_after() > 200);
    assert_eq!(rig.simulator.token_requests(), 6);
    std::fs::write(rig.folder.path().join("secret.txt"), "the-new-one\n").unwrap();
    clock.advance(Duration::from_secs(2)).await;
    within(rig.simulator.entra().wait_for_token_requests(7)).await;
    while rig.get("/api/customers").await.status != 200 {}
}

#[tokio::test]
async fn a_lifetime_may_be_written_as_text_as_an_end_or_not_at_all() {
    let clock = HeldClock::new();
    let as_text: fn(&mut serde_json::Value) = |json| {
        let seconds = json["expires_in"].to_string();
        json["expires_in"] = seconds.into();
    };
    let not_at_all: fn(&mut serde_json::Value) = |json| drop(json.as_object_mut().unwrap().remove("expires_in"));
    for (change, still_good, ended) in [(as_text, 3000, 3600), (not_at_all, 500, 600)] {
        let fault = Fault::Changed(change);
        let rig =
            Plan::default().impatient().start_after(|simulator| simulator.entra().fail(fault, Times::Always)).await;
        assert_eq!(rig.get("/api/customers").await.status, 200);
        rig.simulator.entra().fail(Fault::unavailable(None), Times::Always);
        clock.advance(Duration::from_secs(still_good)).await;
        assert_eq!(rig.get("/api/customers").await.status, 200, "it is used until its end is near");
        clock.advance(Duration::from_secs(ended - still_good)).await;
        assert_eq!(rig.get("/api/customers").await.status, 503);
    }
}

#[tokio::test]
async fn every_error_of_entra_that_is_known_is_told_with_its_number() {
    // The codes a client-credentials caller can meet (Entra, "Authentication and authorization error codes", and the
    // field).
    const CODES: [u32; 85] = [
        7000215, 70002, 7000222, 7000216, 7000218, 700025, 700016, 700011, 7000112, 70001, 1000031, 90002, 900023,
        90019, 50059, 50128, 9001023, 90124, 90130, 50194, 90038, 900382, 900432, 50049, 90051, 700027, 700024, 500133,
        50012, 50006, 50017, 900384, 50013, 50027, 50048, 700030, 70021, 700211, 700212, 700213, 7002131, 70025,
        700229, 70011, 1002012, 700022, 700023, 28002, 28003, 500011, 50001, 650052, 650056, 650057, 65005, 65001,
        90094, 501051, 50105, 90099, 53003, 530032, 530035, 53011, 50131, 500021, 500022, 50002, 70003, 901002, 900144,
        90014, 90100, 9002313, 90004, 90013, 90023, 900561, 50196, 90055, 90006, 90012, 90024, 90033, 50000,
    ];
    let clock = HeldClock::new();
    let first = Fault::aadsts(CODES[0]);
    let rig = Plan::default().impatient().start_after(|simulator| simulator.entra().fail(first, Times::Always)).await;
    for (asked, code) in CODES.into_iter().enumerate() {
        let asked = asked as u64;
        let named = format!("AADSTS{code}");
        let mut message = rig.get("/api/customers").await.rejection().message;
        while !message.contains(&named) {
            message = rig.get("/api/customers").await.rejection().message;
        }
        assert!(!message.contains("https://login.microsoftonline.com/error?code="), "{named} is known: {message}");
        assert_eq!(rig.simulator.token_requests(), asked + 1);
        if let Some(&next) = CODES.get(asked as usize + 1) {
            rig.simulator.entra().fail(Fault::aadsts(next), Times::Always);
            clock.advance(Duration::from_secs(400)).await;
            within(rig.simulator.entra().wait_for_token_requests(asked + 2)).await;
        }
    }
}
