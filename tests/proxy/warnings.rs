//! What needs attention although requests are answered: the same in the health check, the JSON status, the metrics and
//! the page.

use std::time::Duration;

use bcproxy::admin::Status;
use bcproxy::simulator::{Script, Times};
use hyper::StatusCode;
use serde_json::Value;
use time::OffsetDateTime;

use crate::rig::{HeldClock, Plan, shared};
use crate::status::{AdminRig, history};

/// Checks that the service is degraded and that all forms tell of one warning of this kind, of this connector or of
/// the service. Returns it.
async fn only_warning(admin: &AdminRig, connector: Option<&str>, kind: &str) -> Value {
    let health = admin.ask("/readyz").await;
    assert_eq!(health.status, 200, "{}", health.text());
    assert!(health.text().starts_with("ready, but something needs attention\n"), "{}", health.text());
    let json = admin.ask("/status.json").await.json();
    assert_eq!(json["state"], "degraded");
    let of_connectors = json["connectors"].as_array().unwrap().iter().map(|one| (one["name"].as_str(), one));
    let all: Vec<_> = of_connectors
        .chain([(None, &json)])
        .flat_map(|(name, one)| one["warnings"].as_array().unwrap().iter().map(move |warning| (name, warning)))
        .collect();
    let [(name, warning)] = all[..] else { panic!("{all:?}") };
    assert_eq!((name, warning["kind"].as_str()), (connector, Some(kind)), "{warning}");
    let until = warning["until"].as_str().map_or_else(String::new, |until| format!(" Until {until}."));
    let text = format!("{}{until}", warning["reason"].as_str().unwrap());
    let prefix = connector.map_or_else(String::new, |name| format!("{name}: "));
    let health = health.text();
    assert!(health.contains(&format!("{prefix}Warning: {text}")), "{text}\n{health}");
    let page = admin.ask("/").await.text().replace("<code>", "`").replace("</code>", "`");
    assert!(page.contains("something needs attention"), "{page}");
    for line in warning["reason"].as_str().unwrap().lines() {
        let shown = line.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
        assert!(page.contains(&shown), "{shown}\n{page}");
    }
    if let Some(until) = warning["until"].as_str() {
        assert!(page.contains(&format!(" Until <time class=\"at\" datetime=\"{until}\"")), "{until}\n{page}");
    }
    let metrics = admin.ask("/metrics").await.text();
    let line = format!("bcproxy_warnings{{connector=\"{}\",kind=\"{kind}\"}} 1.0", connector.unwrap_or_default());
    assert!(metrics.contains(&line) && metrics.contains("bcproxy_ready 1.0"), "{line}\n{metrics}");
    warning.clone()
}

async fn is_ready(admin: &AdminRig) -> bool {
    let health = admin.ask("/readyz").await;
    let json = admin.ask("/status.json").await.json();
    health.status == 200 && health.text().starts_with("ready\n") && json["state"] == "ready"
}

fn time_of(warning: &Value) -> OffsetDateTime {
    let until = warning["until"].as_str().unwrap();
    OffsetDateTime::parse(until, &time::format_description::well_known::Rfc3339).unwrap()
}

#[tokio::test]
async fn a_rate_limit_that_is_used_up_tells_when_the_next_request_is_served() {
    let clock = HeldClock::new();
    let rig = Plan::default().connector("company: -").connector("limits: { requests: 1 per 5m }").start().await;
    let admin = AdminRig::of(&rig).await;
    assert_eq!(admin.ask("/readyz").await.status, 200);
    assert!(is_ready(&admin).await);
    assert_eq!(rig.get("/api/companies").await.status, 200);
    let warning = only_warning(&admin, Some("cronus"), "rate_limit").await;
    assert!(time_of(&warning) > OffsetDateTime::now_utc(), "{warning}");
    clock.advance(Duration::from_secs(400)).await;
    assert!(is_ready(&admin).await);
}

#[tokio::test]
async fn a_pause_that_business_central_requests_tells_its_end() {
    let clock = HeldClock::new();
    let rig = shared(Plan::default()).await;
    let admin = AdminRig::of(&rig).await;
    rig.script(Times::Next(1), Script::busy(StatusCode::TOO_MANY_REQUESTS, Some(40)));
    let client = tokio::spawn({
        let rig = rig.clone();
        async move { rig.get("/api/items").await.status }
    });
    rig.wait_for(|received| received.len() == 1).await;
    let paused = OffsetDateTime::now_utc();
    let client_id = rig.simulator.settings().client_id;
    let line = format!("bcproxy_limiter_pause_remaining_seconds{{connector=\"cronus\",application=\"{client_id}\"}}");
    admin.wait_for(&line, 40.0).await;
    let warning = only_warning(&admin, Some("cronus"), "rate_limit").await;
    assert!(time_of(&warning) >= paused + Duration::from_secs(39), "{warning}");
    clock.advance(Duration::from_secs(41)).await;
    assert_eq!(client.await.unwrap(), StatusCode::OK);
    assert!(is_ready(&admin).await);
}

#[tokio::test]
async fn a_credential_that_expires_soon_tells_its_last_day() {
    let last_day = OffsetDateTime::now_utc().date() + time::Duration::days(10);
    let plan = Plan::default().connector(&format!("client_secret: {{ file: secret.txt, expires: {last_day} }}"));
    let rig = plan.start().await;
    assert_eq!(rig.get("/api/customers?$top=1").await.status, 200);
    let warning = only_warning(&AdminRig::of(&rig).await, Some("cronus"), "credential_expiry").await;
    assert_eq!(time_of(&warning), last_day.next_day().unwrap().midnight().assume_utc());
    assert!(warning["reason"].as_str().unwrap().contains("create a new one"), "{warning}");
}

#[tokio::test]
async fn an_application_without_a_token_is_set_aside_while_another_serves() {
    let other = "00000000-0000-0000-0000-0000000714e2";
    let plan = Plan::default();
    let applications = format!(
        "applications: [ {{ client_id: {}, client_secret: {{ file: secret.txt }} }}, \
         {{ client_id: {other}, client_secret: {{ file: secret.txt }} }} ]",
        plan.settings.client_id
    );
    let rig = plan.connector("client_id: -").connector("client_secret: -").connector(&applications).start().await;
    let admin = AdminRig::of(&rig).await;
    for _ in 0..4 {
        assert_eq!(rig.get("/api/items").await.status, 200);
    }
    admin.wait_for("bcproxy_warnings{connector=\"cronus\",kind=\"application_set_aside\"}", 1.0).await;
    let warning = only_warning(&admin, Some("cronus"), "application_set_aside").await;
    let reason = warning["reason"].as_str().unwrap();
    assert!(reason.contains(other) && reason.contains("AADSTS700016"), "{warning}");
    assert!(warning["until"].is_string(), "{warning}");
}

#[tokio::test]
async fn an_application_that_business_central_rejects_is_a_warning_though_it_has_a_token() {
    let rig = Plan::default().start().await;
    let admin = AdminRig::of(&rig).await;
    assert_eq!(rig.get("/api/items").await.status, 200);
    assert!(is_ready(&admin).await);
    rig.script(Times::Always, Script::error(StatusCode::UNAUTHORIZED, "Authentication_InvalidCredentials", "No."));
    assert_eq!(rig.get("/api/items").await.status, 502);
    let warning = only_warning(&admin, Some("cronus"), "application_set_aside").await;
    let reason = warning["reason"].as_str().unwrap();
    assert!(reason.contains("route /api") && reason.contains("`bcproxy doctor cronus`"), "{warning}");
}

#[tokio::test]
async fn a_broken_file_and_a_certificate_that_expires_soon_are_warnings_of_the_service() {
    let rig = Plan::default().start().await;
    let admin = AdminRig::of(&rig).await;
    assert_eq!(rig.get("/api/items").await.status, 200);
    let mut history = history(&rig);
    history.record_rejected("line 3: `lisen` is unknown".to_owned());
    admin.control.publish(Status { view: rig.proxy.view(), history, is_stopping: false });
    let warning = only_warning(&admin, None, "configuration_rejected").await;
    assert!(warning["reason"].as_str().unwrap().contains("`lisen`") && warning["until"].is_null(), "{warning}");

    let rig = Plan::default().secured().start().await;
    let admin = AdminRig::of(&rig).await;
    let warning = only_warning(&admin, None, "certificate_expiry").await;
    let listener = rig.proxy.addresses()[0].to_string();
    assert!(warning["reason"].as_str().unwrap().contains(&listener), "{warning}");
    let certificate = &admin.ask("/status.json").await.json()["certificates"][0];
    assert_eq!(certificate["listener"], listener);
    let days_left = certificate["days_left"].as_i64().unwrap();
    assert!((28..30).contains(&days_left), "{certificate}");
    let line = format!("bcproxy_listener_certificate_expiry_timestamp_seconds{{listener=\"{listener}\"}}");
    assert_eq!(admin.metric(&line).await, Some(time_of(&warning).unix_timestamp() as f64));
    assert!(admin.ask("/").await.text().contains(&format!("in {days_left} days")));
}

#[tokio::test]
async fn health_lists_all_connectors_the_broken_ones_first_and_can_be_strict() {
    let plan = Plan::default().another_connector("annex", &["client_id: 00000000-0000-0000-0000-0000000714e2"]);
    let rig = plan.top("routes: [ { path: /api, to: api/v2.0, connector: cronus } ]").start().await;
    let admin = AdminRig::of(&rig).await;
    let failed = "bcproxy_token_requests_total{connector=\"annex\",application=\"00000000-0000-0000-0000-0000000714e2\",\
                  outcome=\"failed\"}";
    admin.wait_for(failed, 1.0).await;
    let health = admin.ask("/readyz").await;
    let text = health.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((health.status.as_u16(), lines[0]), (200, "ready, but something needs attention"), "{text}");
    assert!(lines[1].starts_with("annex: not ready. ") && lines[1].contains("AADSTS700016"), "{text}");
    assert!(lines.last().unwrap().starts_with("cronus: ready"), "{text}");
    assert!(!text.contains("Warning"), "the reason is told once: {text}");
    let strict = admin.ask("/readyz?all").await;
    assert_eq!((strict.status.as_u16(), strict.text().contains("annex: not ready")), (503, true), "{}", strict.text());
}
