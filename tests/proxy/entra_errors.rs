//! Every way Entra can fail to give a token, in the words of somebody who has to mend it.

use std::time::Duration;

use bcproxy::simulator::{Fault, Gate, Simulator, Times};
use hyper::{Method, StatusCode};
use uuid::Uuid;

use crate::rig::{HeldClock, Plan, Rig, at_once, send, within};

/// Who has to mend it: whoever keeps the set-up, or time and the network.
#[derive(Clone, Copy)]
enum Side {
    Ours,
    Theirs,
}

/// A proxy that gets no token says why, on every surface, and asks Entra once for however many requests.
async fn assert_no_token(rig: &Rig, what: &str, side: Side, named: &[&str]) -> u64 {
    let answer = rig.get("/api/customers").await;
    let refusal = answer.refusal();
    assert_eq!((refusal.status, refusal.code.as_str()), (503, "Proxy_NoToken"), "{what}");
    let error = match side {
        Side::Ours => "proxy_configuration_error",
        Side::Theirs => "destination_unavailable",
    };
    assert_eq!(answer.headers["proxy-status"], format!("bcproxy; error={error}"), "{what}");
    for part in named {
        assert!(refusal.message.contains(part), "{what} should name {part}: {}", refusal.message);
    }
    assert!(refusal.message.ends_with('.') && !refusal.message.contains(&rig.simulator.settings().client_secret));
    let asked = (rig.simulator.token_requests(), rig.simulator.entra().refused_connections());

    let address = rig.address();
    for again in at_once(50, move |_| send(address, Method::GET, "/odata/Customer", &[], "")).await {
        assert_eq!(again.refusal(), refusal, "{what}");
    }
    assert_eq!(rig.call_soap("/soap/Codeunit/Tools").await.refusal(), refusal, "{what}");
    let asked_now = (rig.simulator.token_requests(), rig.simulator.entra().refused_connections());
    assert_eq!(asked_now, asked, "{what}: Entra is left alone");
    assert!(rig.simulator.received().is_empty(), "{what}: nothing is sent without a token");
    answer.retry_after()
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
    let cases: [(&str, &str, Prepare, &[&str]); 5] = [
        ("wrong secret", "", secret, &["AADSTS7000215", "Certificates & secrets", "Value", "client_secret"]),
        ("expired secret", "", expired, &["AADSTS7000222", "has expired", "create a new one"]),
        (
            "unknown client",
            &other_client,
            as_it_is,
            &["AADSTS700016", "compare `client_id`", "Application (client) ID"],
        ),
        ("wrong tenant", &other_tenant, as_it_is, &["AADSTS90002", "compare `tenant_id`", "Directory (tenant) ID"]),
        ("wrong scope", "scope: https://example.com/.default", as_it_is, &["AADSTS70011", "leave `scope` out"]),
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
    let cases: [(&str, Fault, &[&str]); 4] = [
        ("unreachable", Fault::Unreachable, &["can't be reached", "localhost", "check the network"]),
        ("unavailable", unavailable, &["temporarily_unavailable", "AADSTS90033", "tries again by itself"]),
        ("a web page", html(200), &["200 OK", "not Entra's", "intercepting web proxy"]),
        ("a web page with an error", html(502), &["502 Bad Gateway", "intercepting web proxy"]),
    ];
    let clock = HeldClock::new();
    for (what, fault, named) in cases {
        let rig = Plan::default().start_after(|simulator| simulator.entra().fail(fault, Times::Always)).await;
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
    let rig = Plan::default().start_after(|simulator| simulator.entra().fail(busy, Times::Next(1))).await;
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
    let rig = Plan::default().connector(&format!("authority: https://127.0.0.1:{port}")).start().await;
    assert_no_token(
        &rig,
        "nothing listens",
        Side::Theirs,
        &["can't be reached", "nothing listens there", "`authority`", &format!("127.0.0.1:{port}")],
    )
    .await;
}

#[tokio::test]
async fn an_entra_that_does_not_answer_is_given_up_after_the_connectors_time() {
    let clock = HeldClock::new();
    let hold = Fault::Held(Gate::closed());
    let plan = Plan::default().connector("timeouts: { token: 5s }");
    let rig = plan.start_after(|simulator| simulator.entra().fail(hold, Times::Next(1))).await;
    within(rig.simulator.entra().wait_for_token_requests(1)).await;
    clock.advance(Duration::from_secs(5)).await;
    let retry_after =
        assert_no_token(&rig, "held", Side::Theirs, &["did not answer within 5 s", "check the network"]).await;
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
    let answer = rig.get("/api/customers").await;
    let refusal = answer.refusal();
    assert_eq!((refusal.status, refusal.code.as_str()), (503, "Proxy_NoToken"));
    for part in ["secret.txt", "can't be read", "check the path"] {
        assert!(refusal.message.contains(part), "{}", refusal.message);
    }
    assert_eq!(rig.simulator.token_requests(), 1);

    std::fs::write(&file, &rig.simulator.settings().client_secret).unwrap();
    clock.advance(Duration::from_secs(answer.retry_after())).await;
    assert_eq!(rig.get("/api/customers").await.status, 200);
}

#[tokio::test]
async fn a_secret_that_is_replaced_on_both_sides_is_used_after_the_pause_without_a_restart() {
    let clock = HeldClock::new();
    let replace =
        |simulator: &Simulator| simulator.entra().replace_secrets(simulator.settings().client_id, "the-new-one");
    let rig = Plan::default().start_after(replace).await;
    let answer = rig.get("/api/customers").await;
    assert_eq!(answer.status, 503);
    std::fs::write(rig.folder.path().join("secret.txt"), "the-new-one\n").unwrap();
    clock.advance(Duration::from_secs(answer.retry_after())).await;
    assert_eq!(rig.get("/api/customers").await.status, 200);
    assert_eq!(rig.simulator.token_requests(), 2);
}
