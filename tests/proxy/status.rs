//! The status page, the metrics and the JSON status of the admin listener.

use std::net::SocketAddr;
use std::time::Duration;

use bcproxy::admin::{Admin, Command, ConfigHistory, Control, Status};
use bcproxy::config::{self, Config, Listener};
use bcproxy::simulator::{Latch, Outcome, Script, Times};
use hyper::{Method, StatusCode};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::mpsc::Receiver;
use tokio::time::Instant;

use crate::rig::{ClientResponse, HeldClock, Plan, Rig, at_once, send, shared, within};
use crate::wire::Wire;

/// The history of a rig's configuration file.
pub fn history(rig: &Rig) -> ConfigHistory {
    let file = rig.folder.path().join("proxy.yaml");
    let loaded = Config::load_file_only(&file).unwrap();
    ConfigHistory::new(file, &loaded)
}

/// An admin listener for a rig's proxy.
pub struct AdminRig {
    /// Dropped, it stops.
    _admin: Admin,
    pub address: SocketAddr,
    pub control: Control,
    /// Kept open: a closed channel means that the service has stopped.
    pub commands: Receiver<Command>,
}

impl AdminRig {
    pub async fn of(rig: &Rig) -> Self {
        Self::beside(rig, Handle::current()).await
    }

    /// One that takes this for the data path's runtime.
    pub async fn beside(rig: &Rig, data_path: Handle) -> Self {
        let status = Status { view: rig.proxy.view(), history: history(rig), is_stopping: false };
        let (control, commands) = Control::new(status, data_path);
        let listen = vec![Listener::plain(SocketAddr::from(([127, 0, 0, 1], 0)))];
        let settings = config::Admin { listen, token: None, allow_from: None, hosts: Vec::new() };
        let admin = Admin::start(&settings, control.clone()).await.unwrap();
        let address = admin.addresses()[0].socket;
        Self { _admin: admin, address, control, commands }
    }

    pub async fn ask(&self, path: &str) -> ClientResponse {
        send(self.address, Method::GET, path, &[], "").await
    }

    pub async fn json(&self) -> Value {
        self.ask("/status.json").await.json()
    }

    pub async fn page(&self) -> String {
        self.ask("/").await.text()
    }

    /// The value of the metric with this name and these labels.
    pub async fn metric(&self, line: &str) -> Option<f64> {
        let metrics = self.ask("/metrics").await;
        assert_eq!(metrics.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        let text = metrics.text();
        let value = text.lines().find_map(|written| written.strip_prefix(line)?.strip_prefix(' '));
        value.map(|value| value.parse().unwrap())
    }

    /// Polls until the metric has this value, for a minute.
    pub async fn wait_for(&self, line: &str, value: f64) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.metric(line).await != Some(value) {
            assert!(Instant::now() < deadline, "{line} {value} does not come:\n{}", self.ask("/metrics").await.text());
        }
    }
}

#[tokio::test]
async fn requests_are_counted_by_route_and_problems_show_their_reason() {
    let rig = Rig::new().await;
    let admin = AdminRig::of(&rig).await;
    assert!(admin.page().await.contains("No problems since the start."));
    for _ in 0..3 {
        assert_eq!(rig.get("/api/customers?$top=1").await.status, 200);
    }
    rig.script(Times::Next(1), Script::busy(StatusCode::TOO_MANY_REQUESTS, None));
    assert_eq!(rig.get("/api/items").await.status, 200);
    let elsewhere = "/odata/Company('%3Cscript%3E')/Customer?$filter=hunter2";
    let rejected = rig.get(elsewhere).await;
    assert_eq!(rejected.status, 403);
    let handshake = [("authorization", "NTLM TlRMTVNTUAABAAAABoIIAAAAAAAAAAAAAAAAAAAAAAA=")];
    assert_eq!(rig.send(Method::GET, "/api/customers", &handshake, "").await.status, 401);

    admin.wait_for("bcproxy_requests_total{route=\"/api\",status=\"200\",outcome=\"complete\"}", 4.0).await;
    for (line, value) in [
        ("bcproxy_requests_total{route=\"/odata\",status=\"403\",outcome=\"complete\"}", 1.0),
        ("bcproxy_requests_total{route=\"/api\",status=\"401\",outcome=\"handshake\"}", 1.0),
        ("bcproxy_retries_total{route=\"/api\"}", 1.0),
        ("bcproxy_upstream_duration_seconds_count{route=\"/api\"}", 4.0),
        ("bcproxy_request_duration_seconds_bucket{route=\"/api\",le=\"+Inf\"}", 5.0),
        ("bcproxy_connector_ready{connector=\"cronus\"}", 1.0),
        ("bcproxy_config_last_reload_successful", 1.0),
    ] {
        assert_eq!(admin.metric(line).await, Some(value), "{line} in\n{}", admin.ask("/metrics").await.text());
    }

    let json = admin.json().await;
    let route = json["routes"].as_array().unwrap().iter().find(|route| route["path"] == "/api").unwrap();
    assert_eq!((&route["requests"], &route["by_status"]["200"]), (&5.into(), &4.into()));
    let problem = &json["problems"][0];
    assert_eq!(problem["id"], rejected.headers["x-request-id"].to_str().unwrap());
    assert_eq!(problem["reason"], rejected.json()["error"]["message"]);
    assert_eq!(json["connectors"][0]["company"]["name"], "CRONUS International Ltd.");

    let page = admin.page().await;
    assert!(page.contains("&lt;script&gt;") && page.matches("<script").count() == 1, "{page}");
    assert!(page.contains(rejected.headers["x-request-id"].to_str().unwrap()));
    for form in [page, json.to_string(), admin.ask("/metrics").await.text()] {
        assert!(!form.contains("hunter2"), "queries stay out of it");
    }
}

#[tokio::test]
async fn a_problem_names_the_application_of_its_last_attempt() {
    let rig = Rig::new().await;
    let admin = AdminRig::of(&rig).await;
    assert_eq!(rig.get("/elsewhere/Company('Other')").await.status, 404);
    rig.script(Times::Next(1), Script::error(StatusCode::NOT_FOUND, "BadRequest_ResourceNotFound", "None."));
    assert_eq!(rig.get("/api/items").await.status, 404);
    let client_id = rig.simulator.settings().client_id.to_string();
    let problems = &admin.json().await["problems"];
    assert_eq!((&problems[0]["client_id"], &problems[1]["client_id"]), (&client_id.as_str().into(), &Value::Null));
    assert!(admin.page().await.contains(&format!("<dt>Application</dt><dd><code>{client_id}</code></dd>")));
}

#[tokio::test]
async fn a_connector_that_is_not_ready_says_which_step_is_wrong() {
    let rig = Plan::default().settings(|settings| settings.client_secret = "another".to_owned()).prepare().await;
    std::fs::write(rig.folder.path().join("secret.txt"), "wrong").unwrap();
    let rig = rig.start().await;
    let rejected = rig.get("/api/customers").await;
    assert_eq!(rejected.status, 503);
    let admin = AdminRig::of(&rig).await;
    let connector = &admin.json().await["connectors"][0];
    assert_eq!(
        (&connector["state"], connector["reason"].as_str().unwrap()),
        (&"not_ready".into(), rejected.rejection().message.as_str())
    );
    assert!(connector["applications"][0]["failure"]["reason"].as_str().unwrap().contains("AADSTS7000215"));
    assert_eq!(admin.metric("bcproxy_connector_ready{connector=\"cronus\"}").await, Some(0.0));
    let client_id = rig.simulator.settings().client_id.to_string();
    let failed =
        format!("bcproxy_token_requests_total{{connector=\"cronus\",application=\"{client_id}\",outcome=\"failed\"}}");
    assert!(admin.metric(&failed).await >= Some(1.0));
    let page = admin.page().await;
    assert!(page.contains("not ready") && page.contains("AADSTS7000215"), "{page}");
}

#[tokio::test]
async fn the_queue_is_shown() {
    let plan = Plan::default().connector("limits: { concurrency: 2, requests: 100 per 5m }");
    let (rig, latch) = (shared(plan).await, Latch::closed());
    rig.script(Times::Always, Script::response(StatusCode::OK).hold_head(&latch));
    let clients = tokio::spawn(at_once(5, {
        let rig = rig.clone();
        move |_| {
            let rig = rig.clone();
            async move { rig.get("/api/items").await.status }
        }
    }));
    rig.wait_for(|received| received.iter().filter(|one| one.outcome == Outcome::Pending).count() == 2).await;
    let admin = AdminRig::of(&rig).await;
    let gauge = |name: &str| {
        let client_id = rig.simulator.settings().client_id;
        format!("bcproxy_limiter_{name}{{connector=\"cronus\",application=\"{client_id}\"}}")
    };
    admin.wait_for(&gauge("queued"), 3.0).await;
    assert_eq!(admin.metric(&gauge("in_flight")).await, Some(2.0));
    assert_eq!(admin.metric(&gauge("window_limit")).await, Some(100.0));
    let page = admin.page().await;
    for text in ["<span class=\"figure\">2 of 2</span>", "<span class=\"figure\">3 of 100</span>", "3 queued"] {
        assert!(page.contains(text), "{text}");
    }
    assert!(page.contains("all 2 permits of application <code>") && page.contains("3 requests are queued."), "{page}");
    latch.open();
    assert_eq!(clients.await.unwrap(), [StatusCode::OK; 5]);
    admin.wait_for(&gauge("in_flight"), 0.0).await;
    assert_eq!(admin.metric(&gauge("window_requests")).await, Some(6.0), "with the look-up of the company");
}

#[tokio::test]
async fn a_pause_that_business_central_requests_is_shown() {
    let clock = HeldClock::new();
    let rig = shared(Plan::default()).await;
    rig.script(Times::Next(1), Script::busy(StatusCode::TOO_MANY_REQUESTS, Some(40)));
    let client = tokio::spawn({
        let rig = rig.clone();
        async move { rig.get("/api/items").await.status }
    });
    rig.wait_for(|received| received.len() == 1).await;
    let admin = AdminRig::of(&rig).await;
    let client_id = rig.simulator.settings().client_id;
    let line = format!("bcproxy_limiter_pause_remaining_seconds{{connector=\"cronus\",application=\"{client_id}\"}}");
    admin.wait_for(&line, 40.0).await;
    clock.advance(Duration::from_secs(41)).await;
    assert_eq!(client.await.unwrap(), StatusCode::OK);
    assert_eq!(admin.metric(&line).await, Some(0.0));
}

#[tokio::test]
async fn waits_because_of_the_rate_are_shown_everywhere() {
    let clock = HeldClock::new();
    let plan = Plan::default().connector("limits: { requests: 20 per 5m, wait: 10m }");
    let rig = shared(plan).await;
    let admin = AdminRig::of(&rig).await;
    let clients = tokio::spawn(at_once(14, {
        let rig = rig.clone();
        move |_| {
            let rig = rig.clone();
            async move { rig.get("/api/customers?$top=1").await.status }
        }
    }));
    // Half of the rate at once and one more; the look-up of the company is one of them.
    assert_eq!(rig.limiter_at(4).await, (0, 4));
    clock.advance(Duration::from_secs(6)).await;
    let client_id = rig.simulator.settings().client_id;
    let line = format!("bcproxy_limiter_rate_limited_seconds{{connector=\"cronus\",application=\"{client_id}\"}}");
    admin.wait_for(&line, 6.001).await;
    let limiter = &admin.json().await["connectors"][0]["applications"][0]["limiter"];
    let since = limiter["rate_limited_since"].as_str().unwrap();
    let warning = format!(
        "Because of the rate limit, API and OData requests of application {client_id} have been waiting since {since}."
    );
    assert!(admin.page().await.contains(&warning));
    for path in ["/readyz", "/readyz/cronus"] {
        let health = admin.ask(path).await;
        assert!(health.status == 200 && health.text().contains(&warning), "{}", health.text());
    }

    // Requests are served every thirty seconds.
    while !clients.is_finished() {
        clock.advance(Duration::from_secs(10)).await;
    }
    assert_eq!(clients.await.unwrap(), [StatusCode::OK; 14]);
    clock.advance(Duration::from_secs(61)).await;
    admin.wait_for(&line, 0.0).await;
    assert!(!admin.ask("/readyz").await.text().contains("Warning"));
}

#[tokio::test]
async fn waits_of_rejected_requests_count_and_a_client_that_leaves_the_queue_gets_no_status() {
    let clock = HeldClock::new();
    let plan = Plan::default().connector("limits: { concurrency: 1, wait: 20s }");
    let (rig, latch) = (shared(plan).await, Latch::closed());
    rig.script(Times::Always, Script::response(StatusCode::OK).hold_head(&latch));
    let get = || {
        let rig = rig.clone();
        tokio::spawn(async move { rig.get("/api/items").await.status })
    };
    let served = get();
    rig.wait_for(|received| received.len() == 1).await;
    let rejected = get();
    let mut leaves = Wire::connect(rig.address()).await;
    leaves.send("GET /api/items HTTP/1.1\r\nHost: erp\r\n\r\n").await;
    assert_eq!(rig.limiter_at(3).await, (1, 2));
    let admin = AdminRig::of(&rig).await;
    clock.advance(Duration::from_secs(5)).await;
    leaves.reset();
    admin.wait_for("bcproxy_requests_total{route=\"/api\",status=\"\",outcome=\"client left\"}", 1.0).await;
    clock.advance(Duration::from_secs(15)).await;
    assert_eq!(rejected.await.unwrap(), StatusCode::TOO_MANY_REQUESTS);
    latch.open();
    assert_eq!(served.await.unwrap(), StatusCode::OK);
    admin.wait_for("bcproxy_queue_duration_seconds_count{route=\"/api\"}", 3.0).await;
    let sum = admin.metric("bcproxy_queue_duration_seconds_sum{route=\"/api\"}").await.unwrap();
    assert!((25.0..25.1).contains(&sum), "{sum}");
    let json = admin.json().await;
    let route = json["routes"].as_array().unwrap().iter().find(|route| route["path"] == "/api").unwrap();
    assert_eq!((&route["by_status"]["400"], &route["incomplete"]["client left"]), (&Value::Null, &1.into()));
    assert_eq!(json["problems"].as_array().unwrap().len(), 1, "a client may leave");
}

#[tokio::test]
async fn a_credential_that_expires_soon_is_shown_everywhere() {
    let today = time::OffsetDateTime::now_utc().date();
    let last_day = today + time::Duration::days(10);
    let plan = Plan::default().connector(&format!("client_secret: {{ file: secret.txt, expires: {last_day} }}"));
    let rig = plan.start().await;
    assert_eq!(rig.get("/api/customers?$top=1").await.status, 200);
    let admin = AdminRig::of(&rig).await;
    let line = format!(
        "bcproxy_credential_expiry_timestamp_seconds{{connector=\"cronus\",application=\"{}\"}}",
        rig.simulator.settings().client_id
    );
    let end = last_day.next_day().unwrap().midnight().assume_utc().unix_timestamp();
    assert_eq!(admin.metric(&line).await, Some(end as f64));
    let application = &admin.json().await["connectors"][0]["applications"][0];
    assert_eq!(application["credential_expires"], last_day.to_string());
    assert!(admin.page().await.contains(&format!("expires in 10 days, on <time datetime=\"{last_day}\">")));
}

#[tokio::test]
async fn counts_survive_a_reload_and_other_web_pages_get_no_status() {
    let prepared = Plan::default().top("routes: [ { path: /one, to: api/v2.0 } ]").prepare().await;
    let text = std::fs::read_to_string(&prepared.file).unwrap();
    let mut rig = prepared.start().await;
    let admin = AdminRig::of(&rig).await;
    assert_eq!(rig.get("/one/customers?$top=1").await.status, 200);
    let line = "bcproxy_requests_total{route=\"/one\",status=\"200\",outcome=\"complete\"}";
    admin.wait_for(line, 1.0).await;

    let file = rig.folder.path().join("proxy.yaml");
    std::fs::write(&file, text.replace("to: api/v2.0", "to: odata")).unwrap();
    let loaded = Config::load(&file).unwrap();
    rig.proxy.reload(&loaded.config).await.unwrap();
    let mut history = history(&rig);
    history.record_applied(&loaded);
    history.warnings = Some("secret.txt is <open>".to_owned());
    admin.control.publish(Status { view: rig.proxy.view(), history, is_stopping: false });
    assert_eq!(admin.metric(line).await, Some(1.0));
    assert_eq!(admin.metric("bcproxy_config_reloads_total{outcome=\"applied\"}").await, Some(1.0));

    let from_a_page = [("sec-fetch-site", "cross-site")];
    for path in ["/", "/status.json", "/metrics"] {
        let response = send(admin.address, Method::GET, path, &from_a_page, "").await;
        assert_eq!(response.status, 403, "{path}");
        let response = send(admin.address, Method::GET, path, &[("host", "evil.example")], "").await;
        assert_eq!(response.status, 421, "{path}");
    }
    // By the machine's name, a browser says nothing of where a request comes from.
    let typed = [("upgrade-insecure-requests", "1"), ("accept-language", "en-US")];
    assert_eq!(send(admin.address, Method::GET, "/", &typed, "").await.status, 200);
    assert_eq!(admin.json().await["configuration"]["warnings"], "secret.txt is <open>");
    assert!(admin.page().await.contains("<pre>secret.txt is &lt;open&gt;</pre>"));
    let page = admin.ask("/").await;
    assert!(page.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
}

#[tokio::test]
async fn the_wait_of_a_retry_counts_as_queued_even_if_it_is_rejected_in_the_end() {
    let clock = HeldClock::new();
    let rig = shared(Plan::default().connector("limits: { wait: 30s }")).await;
    let admin = AdminRig::of(&rig).await;
    assert_eq!(rig.get("/api/items").await.status, 200);
    let busy = |seconds| Script::busy(StatusCode::TOO_MANY_REQUESTS, Some(seconds));
    for (pauses, status) in [(vec![20], 200), (vec![20, 60], 429)] {
        for seconds in pauses {
            rig.script(Times::Next(1), busy(seconds));
        }
        let client = tokio::spawn({
            let rig = rig.clone();
            async move { rig.get("/api/items").await.status }
        });
        within(async {
            while rig.limiter_at(1).await != (0, 1) {
                tokio::task::yield_now().await;
            }
        })
        .await;
        clock.advance(Duration::from_secs(20)).await;
        assert_eq!(within(client).await.unwrap(), status);
    }
    let queued = admin.metric("bcproxy_queue_duration_seconds_sum{route=\"/api\"}").await.unwrap();
    assert!((40.0..42.0).contains(&queued), "{queued}");
}
