//! A connector with several applications: they share the requests, and an unusable one is skipped.

use std::sync::Arc;
use std::time::Duration;

use bcproxy::simulator::{Latch, Matcher, Outcome, Received, Script, Simulator, ThrottleLimits, Times};
use hyper::{Method, StatusCode};
use serde_json::Value;
use uuid::Uuid;

use crate::process::Process;
use crate::rig::{HeldClock, Plan, Rig, at_once, send, shared, within};

const OTHER: Uuid = Uuid::from_u128(0x0714e2);

/// A connector with two applications, at a Business Central that keeps to its limits.
fn two() -> Plan {
    let real = ThrottleLimits { concurrency: 5, requests: 6000, per: Duration::from_secs(300) };
    let plan = Plan::default().settings(|settings| settings.limits = Some(real));
    let client_id = plan.settings.client_id;
    let applications = format!(
        "applications: [ {{ client_id: {client_id}, client_secret: {{ file: secret.txt }} }}, {{ client_id: {OTHER}, client_secret: {{ \
         file: secret.txt }} }} ]"
    );
    plan.connector("client_id: -").connector("client_secret: -").connector(&applications)
}

/// Makes the second application known to Entra.
fn register(simulator: &Simulator) {
    simulator.entra().add_secret(OTHER, &simulator.settings().client_secret);
}

/// A rig of them.
async fn with_two(prepare: impl FnOnce(&Rig)) -> Arc<Rig> {
    let rig = two().start_after(register).await;
    prepare(&rig);
    Arc::new(rig)
}

fn in_flight(received: &[&Received]) -> Vec<Uuid> {
    let in_flight = received.iter().filter(|received| received.outcome == Outcome::Pending);
    in_flight.filter_map(|received| received.application).collect()
}

async fn get(rig: Arc<Rig>) -> StatusCode {
    rig.get("/api/items").await.status
}

fn many(count: usize, rig: &Arc<Rig>) -> tokio::task::JoinHandle<Vec<StatusCode>> {
    let rig = rig.clone();
    tokio::spawn(at_once(count, move |_| get(rig.clone())))
}

#[tokio::test]
async fn two_applications_double_the_concurrency() {
    let latch = Latch::closed();
    let rig = with_two(|rig| rig.script(Times::Always, Script::response(StatusCode::OK).hold_head(&latch))).await;
    let clients = many(40, &rig);
    rig.wait_for(|received| in_flight(received).len() == 10).await;
    let own = rig.simulator.settings().client_id;
    let busy = in_flight(&rig.received().iter().collect::<Vec<_>>());
    assert_eq!(busy.iter().filter(|application| **application == own).count(), 5, "{busy:?}");
    latch.open();
    assert_eq!(within(clients).await.unwrap(), [StatusCode::OK; 40]);
    assert_eq!(rig.simulator.business_central().throttled(), 0);
    // Each got half of the requests.
    let by_own = rig.received().iter().filter(|received| received.application == Some(own)).count();
    assert!((19..=21).contains(&by_own), "{by_own} of 40");
}

#[tokio::test]
async fn soap_calls_share_the_environments_limits() {
    let latch = Latch::closed();
    let rig = with_two(|rig| {
        let script = Script::ordinary().hold_head(&latch);
        rig.simulator.business_central().script(Matcher::any().path_containing("/WS/"), Times::Always, script);
    })
    .await;
    let clients = tokio::spawn(at_once(12, {
        let rig = rig.clone();
        move |_| {
            let rig = rig.clone();
            async move { rig.call_soap("/soap/Codeunit/Tools").await.status }
        }
    }));
    // All twelve are there, so none that should be queued is merely late.
    assert_eq!(rig.soap_limiter_at(12).await, (5, 7));
    rig.wait_for(|received| in_flight(received).len() == 5).await;
    latch.open();
    assert_eq!(within(clients).await.unwrap(), [StatusCode::OK; 12]);
    assert_eq!(rig.simulator.business_central().peak_concurrency(), 5);
    assert_eq!(rig.simulator.business_central().throttled(), 0);
}

#[tokio::test]
async fn two_applications_double_the_rate_of_soap_calls() {
    let _clock = HeldClock::new();
    let real = ThrottleLimits { concurrency: 5, requests: 10, per: Duration::from_secs(300) };
    let plan = two().settings(|settings| settings.limits = Some(real)).connector("limits: { requests: 10 per 5m }");
    let rig = Arc::new(plan.start_after(register).await);
    // Half of the rate at once, one of the other half, and the clock is stopped.
    for number in 0..12 {
        assert_eq!(rig.call_soap("/soap/Codeunit/Tools").await.status, 200, "call {number}");
    }
    let by_other = rig.received().iter().filter(|received| received.application == Some(OTHER)).count();
    assert_eq!(by_other, 6);
    let queued = tokio::spawn({
        let rig = rig.clone();
        async move { rig.call_soap("/soap/Codeunit/Tools").await.status }
    });
    assert_eq!(rig.soap_limiter_at(1).await, (0, 1));
    assert_eq!(rig.simulator.business_central().throttled(), 0);
    queued.abort();
}

#[tokio::test]
async fn while_one_is_throttled_the_other_carries_on() {
    let _clock = HeldClock::new();
    let latch = Latch::closed();
    let rig = with_two(|rig| {
        let business_central = rig.simulator.business_central();
        let busy = Script::busy(StatusCode::TOO_MANY_REQUESTS, Some(600)).hold_head(&latch);
        business_central.script(Matcher::any().method(Method::POST), Times::Next(1), busy);
        rig.script(Times::Always, Script::response(StatusCode::OK).hold_head(&latch));
    })
    .await;
    let write = tokio::spawn({
        let rig = rig.clone();
        async move { rig.post_json("/api/customers", r#"{"displayName":"Elsewhere Ltd."}"#).await.status }
    });
    rig.wait_for(|received| received.len() == 1).await;
    let throttled = rig.received()[0].application;
    // Requests that it already queues move too: the clock is stopped, so its pause can't end.
    let clients = many(30, &rig);
    rig.wait_for(|received| in_flight(received).len() == 10).await;
    latch.open();
    assert_eq!(within(write).await.unwrap(), StatusCode::CREATED);
    assert_eq!(within(clients).await.unwrap(), [StatusCode::OK; 30]);
    assert_eq!(rig.simulator.business_central().writes(), 1);
    for _ in 0..5 {
        assert_eq!(get(rig.clone()).await, StatusCode::OK);
        assert_ne!(rig.received().last().unwrap().application, throttled);
    }
}

#[tokio::test]
async fn an_application_disabled_under_load_fails_no_request_and_is_used_again_once_enabled() {
    let clock = HeldClock::new();
    let rig = with_two(|rig| rig.script(Times::Always, Script::response(StatusCode::OK))).await;
    let clients = tokio::spawn(at_once(20, {
        let rig = rig.clone();
        move |_| {
            let rig = rig.clone();
            async move {
                for _ in 0..20 {
                    assert_eq!(get(rig.clone()).await, StatusCode::OK);
                }
            }
        }
    }));
    let by_other = |received: &[&Received]| received.iter().filter(|it| it.application == Some(OTHER)).count();
    rig.wait_for(|received| by_other(received) > 20).await;
    rig.simulator.business_central().set_application_enabled(OTHER, false);
    within(clients).await.unwrap();
    let rejected = |rig: &Rig| rig.received().iter().filter(|it| it.status == Some(StatusCode::UNAUTHORIZED)).count();
    assert!(rejected(&rig) > 0);

    // It is set aside: no request goes out as it.
    let before = rejected(&rig);
    assert_eq!(within(many(20, &rig)).await.unwrap(), [StatusCode::OK; 20]);
    assert_eq!(rejected(&rig), before);

    // It is tried again after a while, at first without success, which the client doesn't notice.
    clock.advance(Duration::from_secs(301)).await;
    assert_eq!(within(many(4, &rig)).await.unwrap(), [StatusCode::OK; 4]);
    assert!(rejected(&rig) > before);
    rig.simulator.business_central().set_application_enabled(OTHER, true);
    clock.advance(Duration::from_secs(301)).await;
    let before = rejected(&rig);
    assert_eq!(within(many(10, &rig)).await.unwrap(), [StatusCode::OK; 10]);
    assert_eq!(rejected(&rig), before);
    let received = rig.received();
    assert!(received[received.len() - 10..].iter().any(|it| it.application == Some(OTHER)));
}

#[tokio::test]
async fn an_application_without_a_token_is_skipped_and_if_none_is_left_the_error_says_why() {
    let rig = with_two(|rig| rig.simulator.entra().replace_secrets(OTHER, "another")).await;
    rig.simulator.revoke_tokens();
    assert_eq!(within(many(10, &rig)).await.unwrap(), [StatusCode::OK; 10]);
    let own = rig.simulator.settings().client_id;
    let accepted = rig.received().into_iter().filter(Received::token_accepted).map(|it| it.application);
    assert_eq!(accepted.collect::<Vec<_>>(), [Some(own); 10]);

    for application in [OTHER, own] {
        rig.simulator.business_central().set_application_enabled(application, false);
    }
    let rejection = rig.get("/odata/Customer").await.rejection();
    assert!(matches!(rejection.code.as_str(), "Proxy_CredentialsRejected" | "Proxy_NoToken"), "{rejection:?}");
}

#[tokio::test]
async fn the_log_names_the_application_of_a_request_and_those_throttled_or_rejected() {
    let prepared = two().top("log: { format: json }").prepare().await;
    register(&prepared.simulator);
    let business_central = prepared.simulator.business_central();
    let mut process = Process::run(&prepared.file);
    let address = process.address().await;
    let get = async || send(address, Method::GET, "/api/items", &[], "").await.status;
    let is_warning = |line: &Value| line["level"] == "WARN";
    let is_access = |line: &Value| line["target"] == "bcproxy::access";

    let busy = Script::busy(StatusCode::TOO_MANY_REQUESTS, Some(600));
    business_central.script(Matcher::any().path_ending("/items"), Times::Next(1), busy);
    assert_eq!(get().await, StatusCode::OK);
    let [throttled, other] = [0, 1].map(|index| prepared.received()[index].application.unwrap());
    assert_ne!(throttled, other);
    let warning = process.log_line(is_warning).await;
    assert_eq!((&warning["client_id"], &warning["connector"]), (&throttled.to_string().into(), &"cronus".into()));
    let message = "Business Central answered 429; the limiter is paused for 600 s: other applications of the connector take over meanwhile";
    assert_eq!(warning["message"], message);
    let line = process.log_line(is_access).await;
    assert_eq!((&line["client_id"], &line["attempts"]), (&other.to_string().into(), &2.into()), "{line}");

    // Only the paused application is left: the log names it as well.
    business_central.set_application_enabled(other, false);
    assert_eq!(get().await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(process.log_line(is_warning).await["client_id"], other.to_string());
    let line = process.log_line(is_access).await;
    assert_eq!((&line["client_id"], &line["status"]), (&throttled.to_string().into(), &429.into()), "{line}");
}

#[tokio::test]
async fn the_log_names_an_application_whose_look_up_was_throttled_and_another_takes_over() {
    let prepared = two().top("log: { format: json }").prepare().await;
    register(&prepared.simulator);
    let busy = Script::busy(StatusCode::TOO_MANY_REQUESTS, Some(600));
    let companies = Matcher::any().path_ending("/companies");
    prepared.simulator.business_central().script(companies, Times::Next(1), busy);
    let mut process = Process::run(&prepared.file);
    let address = process.address().await;
    assert_eq!(send(address, Method::GET, "/api/items", &[], "").await.status, StatusCode::OK);
    let warning = process.log_line(|line| line["level"] == "WARN").await;
    let throttled = prepared.simulator.received()[0].application.unwrap();
    assert_eq!((&warning["client_id"], &warning["connector"]), (&throttled.to_string().into(), &"cronus".into()));
    let message = warning["message"].as_str().unwrap();
    assert!(message.contains("paused for 600 s: other applications of the connector take over"), "{message}");
}

/// What eight concurrent requests, and one after the application is disabled, show of a connector with one application.
async fn behavior_of_one(plan: Plan) -> ((usize, usize), u64, u16, String) {
    let (rig, latch) = (shared(plan).await, Latch::closed());
    rig.script(Times::Always, Script::response(StatusCode::OK).hold_head(&latch));
    let clients = many(8, &rig);
    let limited = rig.limiter_at(8).await;
    latch.open();
    assert_eq!(within(clients).await.unwrap(), [StatusCode::OK; 8]);
    let own = rig.simulator.settings().client_id;
    let applications: Vec<_> = rig.received().iter().map(|received| received.application).collect();
    assert_eq!(applications, [Some(own); 8]);
    let tokens = rig.simulator.token_requests();
    rig.simulator.business_central().set_application_enabled(own, false);
    let rejection = rig.get("/api/items").await.rejection();
    (limited, tokens, rejection.status, rejection.code)
}

#[tokio::test]
async fn a_pool_of_one_behaves_like_a_single_application() {
    let plan = Plan::default();
    let client_id = plan.settings.client_id;
    let applications = format!("applications: [ {{ client_id: {client_id}, client_secret: {{ file: secret.txt }} }} ]");
    let pool = plan.connector("client_id: -").connector("client_secret: -").connector(&applications);
    let single = behavior_of_one(Plan::default()).await;
    assert_eq!(single, ((5, 3), 1, 502, "Proxy_CredentialsRejected".to_owned()));
    assert_eq!(behavior_of_one(pool).await, single);
}
