//! What an OpenTelemetry collector gets: traces, metrics and logs, and what it costs requests when it is away.
#![cfg(unix)]

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

use crate::process::{Process, message};
use crate::rig::{ClientResponse, Plan, Prepared, send, within};
use bcproxy::simulator::{Latch, Matcher, Script, Times};

/// An OTLP receiver. It decodes with the types that OpenTelemetry publishes.
#[derive(Clone)]
pub struct Receiver {
    pub address: SocketAddr,
    pub seen: Arc<Seen>,
    _serving: Arc<AbortOnDropHandle<()>>,
}

#[derive(Default)]
pub struct Seen {
    spans: Mutex<Vec<Span>>,
    metrics: Mutex<Vec<Metric>>,
    logs: Mutex<Vec<LogRecord>>,
    resources: Mutex<Vec<Vec<KeyValue>>>,
    /// The head of each request, and when its body had arrived.
    pub requests: Mutex<Vec<(HeaderMap, Instant)>>,
    /// The responses to the next requests, before all others succeed, with their `Retry-After`.
    failures: Mutex<Vec<(StatusCode, Option<u64>)>>,
    /// A path that it does not know.
    rejected: Mutex<Option<&'static str>>,
}

impl Receiver {
    async fn start() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), None)
    }

    /// With `tls`, it speaks HTTPS only.
    pub fn on(listener: TcpListener, tls: Option<TlsAcceptor>) -> Self {
        let seen = Arc::<Seen>::default();
        let address = listener.local_addr().unwrap();
        let serving = {
            let seen = seen.clone();
            tokio::spawn(async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let (seen, tls) = (seen.clone(), tls.clone());
                    tokio::spawn(async move {
                        let serve = service_fn(|request| receive(request, seen.clone()));
                        let http = hyper::server::conn::http1::Builder::new();
                        match tls {
                            None => drop(http.serve_connection(TokioIo::new(stream), serve).await),
                            Some(tls) => {
                                // A client that trusts another authority ends the handshake.
                                let Ok(stream) = tls.accept(stream).await else { return };
                                let _ = http.serve_connection(TokioIo::new(stream), serve).await;
                            }
                        }
                    });
                }
            })
        };
        Self { address, seen, _serving: Arc::new(AbortOnDropHandle::new(serving)) }
    }

    /// Waits until a condition of what was received holds.
    pub async fn wait<T>(&self, mut found: impl FnMut(&Seen) -> Option<T>) -> T {
        within(async {
            loop {
                if let Some(found) = found(&self.seen) {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
    }

    /// The spans of the trace whose server span has this path.
    pub async fn trace_of(&self, path: &str) -> Vec<Span> {
        self.wait(|seen| {
            let spans = seen.spans.lock().unwrap();
            let server = spans.iter().find(|span| text(&span.attributes, "url.path").as_deref() == Some(path))?;
            Some(spans.iter().filter(|span| span.trace_id == server.trace_id).cloned().collect())
        })
        .await
    }
}

async fn receive(request: Request<Incoming>, seen: Arc<Seen>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    seen.requests.lock().unwrap().push((head.headers.clone(), Instant::now()));
    assert_eq!(
        (head.method, &head.headers["content-type"]),
        (Method::POST, &"application/x-protobuf".parse().unwrap())
    );
    let failure = seen.failures.lock().unwrap().pop();
    if let Some((status, retry_after)) = failure {
        let mut response = Response::builder().status(status);
        if let Some(seconds) = retry_after {
            response = response.header("retry-after", seconds);
        }
        return Ok(response.body(Full::default()).unwrap());
    }
    if *seen.rejected.lock().unwrap() == Some(head.uri.path()) {
        return Ok(Response::builder().status(StatusCode::NOT_FOUND).body(Full::default()).unwrap());
    }
    let mut resources = seen.resources.lock().unwrap();
    match head.uri.path() {
        "/v1/traces" => {
            for one in ExportTraceServiceRequest::decode(body).unwrap().resource_spans {
                resources.push(one.resource.unwrap().attributes);
                seen.spans.lock().unwrap().extend(one.scope_spans.into_iter().flat_map(|scope| scope.spans));
            }
        }
        "/v1/metrics" => {
            for one in ExportMetricsServiceRequest::decode(body).unwrap().resource_metrics {
                resources.push(one.resource.unwrap().attributes);
                *seen.metrics.lock().unwrap() = one.scope_metrics.into_iter().flat_map(|scope| scope.metrics).collect();
            }
        }
        "/v1/logs" => {
            for one in ExportLogsServiceRequest::decode(body).unwrap().resource_logs {
                resources.push(one.resource.unwrap().attributes);
                seen.logs.lock().unwrap().extend(one.scope_logs.into_iter().flat_map(|scope| scope.log_records));
            }
        }
        other => panic!("{other}"),
    }
    Ok(Response::new(Full::default()))
}

/// A running service that exports.
pub struct Scene {
    pub prepared: Prepared,
    pub process: Process,
    pub address: SocketAddr,
    admin: SocketAddr,
}

impl Scene {
    /// `otlp`: keys besides the endpoint.
    async fn new(collector: SocketAddr, otlp: &str) -> Self {
        Self::with(collector, otlp, "", &[]).await
    }

    async fn with(collector: SocketAddr, otlp: &str, top: &str, variables: &[(&str, &str)]) -> Self {
        Self::of(Plan::default().top(&keys(&format!("http://{collector}"), otlp)).top(top), variables).await
    }

    pub async fn of(plan: Plan, variables: &[(&str, &str)]) -> Self {
        let prepared = plan.prepare().await;
        let mut process = Process::run_with(&prepared.file, variables);
        let address = process.address().await;
        let line = process.log_line(|line| message(line).starts_with("status page on")).await;
        let admin = message(&line).trim_start_matches("status page on http://").trim_end_matches('/').parse().unwrap();
        process.log_line(|line| message(line) == "connector is ready").await;
        Self { prepared, process, address, admin }
    }

    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> ClientResponse {
        send(self.address, Method::GET, path, headers, "").await
    }

    async fn status(&self) -> serde_json::Value {
        send(self.admin, Method::GET, "/status.json", &[], "").await.json()
    }

    /// How many requests wait in the queue of the first application.
    async fn queued(&self) -> u64 {
        self.status().await["connectors"][0]["applications"][0]["limiter"]["queued"].as_u64().unwrap()
    }

    /// Waits until the status says so.
    pub async fn status_with(&self, mut condition: impl FnMut(&serde_json::Value) -> bool) -> serde_json::Value {
        within(async {
            loop {
                let status = self.status().await;
                if condition(&status["otlp"]) {
                    return status["otlp"].clone();
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await
    }
}

/// The keys for a collector, and for an admin listener.
pub fn keys(endpoint: &str, otlp: &str) -> String {
    format!("admin: {{ listen: 127.0.0.1:0 }}\ntelemetry: {{ otlp: {{ endpoint: \"{endpoint}\", {otlp} }} }}")
}

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.clone()?.value? {
        Value::StringValue(text) => Some(text),
        Value::IntValue(number) => Some(number.to_string()),
        _ => None,
    }
}

fn named<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no span {name} in {spans:#?}"))
}

/// Checks that a trace has these stages, one after the other and within the request.
fn assert_stages(spans: &[Span], stages: &[&str]) {
    let server = spans.iter().find(|span| span.kind == SpanKind::Server as i32).unwrap();
    let found: Vec<&str> = spans.iter().filter(|span| *span != server).map(|span| span.name.as_str()).collect();
    assert_eq!(found, stages);
    let mut before = server.start_time_unix_nano;
    for stage in stages.iter().map(|stage| named(spans, stage)) {
        assert_eq!(stage.parent_span_id, server.span_id, "{}", stage.name);
        assert!(before <= stage.start_time_unix_nano, "{} begins when the one before it ends", stage.name);
        assert!(stage.start_time_unix_nano <= stage.end_time_unix_nano);
        before = stage.end_time_unix_nano;
    }
    assert!(before <= server.end_time_unix_nano);
}

/// All requests are traced, and nothing else is exported.
pub const ALL: &str = "traces: 100%, metrics: off";

#[tokio::test]
async fn a_requests_trace_has_a_span_for_each_stage() {
    let receiver = Receiver::start().await;
    let scene = Scene::new(receiver.address, ALL).await;
    let headers = [("content-type", "application/json"), ("user-agent", "till/1")];
    let body = r#"{"displayName":"Ada"}"#;
    let response = send(scene.address, Method::POST, "/api/customers?secret=1", &headers, body).await;
    assert_eq!(response.status, StatusCode::CREATED);

    let spans = receiver.trace_of("/api/customers").await;
    let server = named(&spans, "POST /api");
    assert_eq!((server.kind, server.parent_span_id.len(), server.flags), (SpanKind::Server as i32, 0, 0x101));
    for (key, value) in [
        ("http.request.method", "POST"),
        ("http.response.status_code", "201"),
        ("http.route", "/api"),
        ("client.address", "127.0.0.1"),
        ("server.address", "127.0.0.1"),
        ("user_agent.original", "till/1"),
        ("network.protocol.version", "1.1"),
        ("bcproxy.route", "/api"),
        ("bcproxy.connector", "cronus"),
        ("bcproxy.request_id", response.headers["x-request-id"].to_str().unwrap()),
    ] {
        assert_eq!(text(&server.attributes, key).as_deref(), Some(value), "{key}");
    }
    assert!(server.status.is_none() && text(&server.attributes, "error.type").is_none());
    assert!(!format!("{spans:?}").contains("secret=1"), "no query is exported");
    let attempt = named(&spans, "POST");
    assert_eq!(attempt.kind, SpanKind::Client as i32);
    assert_eq!(text(&attempt.attributes, "server.address").as_deref(), Some("localhost"));
    assert_eq!(text(&attempt.attributes, "http.response.status_code").as_deref(), Some("201"));
    assert!(text(&attempt.attributes, "url.full").unwrap().ends_with("/customers"));

    assert_stages(&spans, &["receive", "POST", "transfer"]);
    let resources = receiver.seen.resources.lock().unwrap();
    assert_eq!(text(&resources[0], "service.name").as_deref(), Some("bcproxy"));
}

#[tokio::test]
async fn a_queued_request_has_a_span_of_its_time_in_the_queue() {
    let receiver = Receiver::start().await;
    let plan = Plan::default().connector("limits: { concurrency: 1 }");
    let scene = Scene::of(plan.top(&keys(&format!("http://{}", receiver.address), ALL)), &[]).await;
    let latch = Latch::closed();
    let held = Script::response(StatusCode::OK).hold_head(&latch);
    scene.prepared.simulator.business_central().script(Matcher::any().path_ending("/items"), Times::Next(1), held);
    let address = scene.address;
    let first = tokio::spawn(async move { send(address, Method::GET, "/api/items", &[], "").await });
    within(scene.prepared.simulator.wait_for(|received| received.iter().any(|one| one.target.ends_with("/items"))))
        .await;
    let second = tokio::spawn(async move { send(address, Method::GET, "/api/customers", &[], "").await });
    within(async { while scene.queued().await == 0 {} }).await;
    latch.open();
    assert_eq!((first.await.unwrap().status, second.await.unwrap().status), (StatusCode::OK, StatusCode::OK));
    assert_stages(&receiver.trace_of("/api/customers").await, &["queue", "GET", "transfer"]);
}

#[tokio::test]
async fn a_retry_has_a_span_of_its_own_and_an_error_says_so() {
    let receiver = Receiver::start().await;
    let scene = Scene::new(receiver.address, ALL).await;
    let items = Matcher::any().path_ending("/items");
    scene.prepared.simulator.business_central().script(
        items,
        Times::Next(1),
        Script::response(StatusCode::SERVICE_UNAVAILABLE),
    );
    assert_eq!(scene.get("/api/items", &[]).await.status, StatusCode::OK);
    let spans = receiver.trace_of("/api/items").await;
    let attempts: Vec<&Span> = spans.iter().filter(|span| span.kind == SpanKind::Client as i32).collect();
    let of = |key: &str| attempts.iter().map(|span| text(&span.attributes, key)).collect::<Vec<_>>();
    assert_eq!(of("http.response.status_code"), [Some("503".to_owned()), Some("200".to_owned())]);
    assert_eq!(of("error.type"), [Some("503".to_owned()), None]);
    assert_eq!(of("http.request.resend_count"), [None, Some("1".to_owned())]);

    assert_eq!(scene.get("/api/no-such-thing", &[]).await.status, StatusCode::NOT_FOUND);
    let spans = receiver.trace_of("/api/no-such-thing").await;
    assert!(named(&spans, "GET /api").status.is_none(), "an error of the client is none of the server");
}

#[tokio::test]
async fn a_clients_trace_is_continued_up_to_business_central() {
    let receiver = Receiver::start().await;
    // Practically nothing is traced, unless a client asks for it.
    let scene = Scene::new(receiver.address, "traces: 0.0001%, metrics: off").await;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    scene.get("/api/customers", &[("traceparent", parent), ("tracestate", "till=1")]).await;
    let spans = receiver.trace_of("/api/customers").await;
    let server = named(&spans, "GET /api");
    assert_eq!(
        (server.parent_span_id.as_slice(), server.flags),
        (&[0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 2, 0xb7][..], 0x301)
    );
    assert_eq!(server.trace_state, "till=1");
    let received = scene.prepared.received().pop().unwrap();
    let attempt: String = named(&spans, "GET").span_id.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(received.headers["traceparent"], format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{attempt}-01"));
    assert_eq!(received.headers["tracestate"], "till=1");

    // What is not traced passes unchanged.
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    scene.get("/api/items", &[("traceparent", parent), ("tracestate", "till=1")]).await;
    assert_eq!(scene.prepared.received().pop().unwrap().headers["traceparent"], parent);
    assert_eq!(receiver.seen.spans.lock().unwrap().len(), spans.len());
}

#[tokio::test]
async fn without_traces_the_headers_pass_unchanged_and_nothing_is_sent() {
    let receiver = Receiver::start().await;
    let scene = Scene::new(receiver.address, "traces: 0%, metrics: off").await;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    scene.get("/api/customers", &[("traceparent", parent)]).await;
    assert_eq!(scene.prepared.received().pop().unwrap().headers["traceparent"], parent);
    scene.process.signal("TERM").await;
    assert_eq!(scene.process.end().await.code, Some(0));
    assert!(receiver.seen.requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_collector_gets_the_metrics_of_the_admin_listener() {
    let receiver = Receiver::start().await;
    let scene = Scene::new(receiver.address, "traces: off, metrics: 100ms").await;
    for _ in 0..3 {
        scene.get("/api/customers", &[]).await;
    }
    let count = |metric: &Metric| match metric.data.as_ref().unwrap() {
        metric::Data::Sum(sum) => {
            assert!(sum.is_monotonic && sum.aggregation_temporality == 2);
            let point =
                sum.data_points.iter().find(|point| text(&point.attributes, "route").as_deref() == Some("/api"));
            point.map(|point| point.value.unwrap())
        }
        other => panic!("{other:?}"),
    };
    use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value::AsInt;
    let metrics = receiver
        .wait(|seen| {
            let metrics = seen.metrics.lock().unwrap();
            let requests = metrics.iter().find(|metric| metric.name == "bcproxy_requests")?;
            (count(requests) == Some(AsInt(3))).then(|| metrics.clone())
        })
        .await;
    let find = |name: &str| metrics.iter().find(|metric| metric.name == name).unwrap_or_else(|| panic!("{name}"));
    let duration = find("bcproxy_request_duration_seconds");
    assert_eq!(duration.unit, "s");
    let Some(metric::Data::Histogram(histogram)) = &duration.data else { panic!("{duration:?}") };
    let point = &histogram.data_points[0];
    assert_eq!((point.count, histogram.aggregation_temporality), (3, 2));
    assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
    assert_eq!(point.bucket_counts.iter().sum::<u64>(), 3);
    assert!(point.start_time_unix_nano < point.time_unix_nano);

    // The same names, but for the suffix that counters have in Prometheus.
    let text = send(scene.admin, Method::GET, "/metrics", &[], "").await.text();
    for metric in &metrics {
        let is_there = ["", "_total"].iter().any(|end| text.contains(&format!("# TYPE {}{end} ", metric.name)));
        assert!(is_there, "{}", metric.name);
    }
}

#[tokio::test]
async fn what_is_logged_arrives_with_the_trace_of_its_request() {
    let receiver = Receiver::start().await;
    let scene = Scene::new(receiver.address, "traces: 100%, metrics: off, logs: true").await;
    scene.get("/api/customers", &[]).await;
    let spans = receiver.trace_of("/api/customers").await;
    let record = receiver
        .wait(|seen| {
            let logs = seen.logs.lock().unwrap();
            logs.iter().find(|record| text(&record.attributes, "path").as_deref() == Some("/api/customers")).cloned()
        })
        .await;
    let server = named(&spans, "GET /api");
    assert_eq!((&record.trace_id, &record.span_id), (&server.trace_id, &server.span_id));
    assert_eq!((record.severity_text.as_str(), text(&record.attributes, "status")), ("INFO", Some("200".to_owned())));
    assert_eq!(text(&record.attributes, "target").as_deref(), Some("bcproxy::access"));
}

#[tokio::test]
async fn a_collector_that_is_away_costs_requests_nothing() {
    // An address where nobody listens, until later.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut scene = Scene::new(address, "traces: 100%, metrics: 100ms, logs: true").await;
    let line = scene.process.log_line(|line| message(line).starts_with("telemetry is not exported")).await;
    assert!(message(&line).contains("Requests are not affected"), "{line}");
    for _ in 0..20 {
        assert_eq!(scene.get("/api/customers", &[]).await.status, StatusCode::OK);
    }
    let otlp = scene.status_with(|otlp| otlp["metrics"]["dropped"].as_u64() > Some(0)).await;
    assert!(otlp["failure"].is_string(), "{otlp}");
    let text = send(scene.admin, Method::GET, "/metrics", &[], "").await.text();
    assert!(text.contains("bcproxy_otlp_dropped_total{signal=\"metrics\"}"), "{text}");

    let receiver = Receiver::on(TcpListener::bind(address).await.unwrap(), None);
    // All of them waited for the collector.
    let servers = |seen: &Seen| {
        let spans = seen.spans.lock().unwrap();
        spans.iter().filter(|span| span.kind == SpanKind::Server as i32).count()
    };
    receiver.wait(|seen| (servers(seen) == 20).then_some(())).await;
    scene.process.log_line(|line| message(line).contains("takes telemetry again")).await;
    scene.status_with(|otlp| otlp["failure"].is_null() && otlp["traces"]["exported"].as_u64() >= Some(20 * 3)).await;
    // The exporter's own lines are none of the exported.
    let logs = receiver.seen.logs.lock().unwrap();
    assert!(!format!("{logs:?}").contains("telemetry is not exported"));
}

#[tokio::test]
async fn a_collector_that_is_busy_is_asked_again_and_one_that_rejects_is_not() {
    let receiver = Receiver::start().await;
    *receiver.seen.failures.lock().unwrap() =
        vec![(StatusCode::TOO_MANY_REQUESTS, None), (StatusCode::SERVICE_UNAVAILABLE, None)];
    let scene = Scene::new(receiver.address, ALL).await;
    scene.get("/api/customers", &[]).await;
    receiver.trace_of("/api/customers").await;
    assert_eq!(receiver.seen.requests.lock().unwrap().len(), 3);

    receiver.seen.failures.lock().unwrap().push((StatusCode::BAD_REQUEST, None));
    scene.get("/api/items", &[]).await;
    let otlp = scene.status_with(|otlp| otlp["traces"]["dropped"].as_u64() > Some(0)).await;
    assert_eq!(otlp["failure"], "it answered 400 to /v1/traces");
}

#[tokio::test]
async fn a_collector_that_says_when_is_asked_again_only_then() {
    let receiver = Receiver::start().await;
    receiver.seen.failures.lock().unwrap().push((StatusCode::TOO_MANY_REQUESTS, Some(3)));
    let scene = Scene::new(receiver.address, ALL).await;
    scene.get("/api/customers", &[]).await;
    receiver.trace_of("/api/customers").await;
    let requests = receiver.seen.requests.lock().unwrap();
    let [(_, first), (_, second)] = requests.as_slice() else { panic!("{requests:?}") };
    assert!(*second - *first >= Duration::from_secs(3), "without Retry-After, the pause is a second at most");
}

#[tokio::test]
async fn a_signal_that_fails_is_told_while_another_is_exported() {
    let receiver = Receiver::start().await;
    let scene = Scene::new(receiver.address, "traces: 100%, metrics: 50ms").await;
    receiver.wait(|seen| (!seen.metrics.lock().unwrap().is_empty()).then_some(())).await;
    *receiver.seen.rejected.lock().unwrap() = Some("/v1/traces");
    scene.get("/api/customers", &[]).await;
    scene.status_with(|otlp| otlp["failure"] == "it answered 404 to /v1/traces").await;
    let exported = |otlp: &serde_json::Value| otlp["metrics"]["exported"].as_u64().unwrap();
    let before = exported(&scene.status().await["otlp"]);
    let otlp = scene.status_with(|otlp| exported(otlp) > before).await;
    assert_eq!(otlp["failure"], "it answered 404 to /v1/traces");
}

#[tokio::test]
async fn the_headers_value_is_sent_and_logged_nowhere() {
    let receiver = Receiver::start().await;
    let otlp = "traces: 100%, logs: true, headers: { Authorization: { env: OTLP_AUTHORIZATION } }";
    let variables = [("OTLP_AUTHORIZATION", "Bearer hunter2-hunter2")];
    let scene = Scene::with(receiver.address, otlp, "log: { level: trace }", &variables).await;
    scene.get("/api/customers", &[]).await;
    receiver.trace_of("/api/customers").await;
    assert_eq!(receiver.seen.requests.lock().unwrap()[0].0["authorization"], "Bearer hunter2-hunter2");
    let status = scene.status().await.to_string();
    scene.process.signal("TERM").await;
    let ended = scene.process.end().await;
    assert!(!format!("{status}{}{}", ended.output, ended.errors).contains("hunter2"));
    assert!(!format!("{:?}", receiver.seen.logs.lock().unwrap()).contains("hunter2"));
}

#[tokio::test]
async fn a_reload_changes_the_collector_and_the_end_sends_what_is_left() {
    let (first, second) = (Receiver::start().await, Receiver::start().await);
    let mut scene = Scene::new(first.address, ALL).await;
    scene.get("/api/customers", &[]).await;
    first.trace_of("/api/customers").await;

    let text = std::fs::read_to_string(&scene.prepared.file).unwrap();
    let moved = text.replace(&first.address.to_string(), &second.address.to_string());
    std::fs::write(&scene.prepared.file, moved).unwrap();
    scene.process.log_line(|line| message(line).contains("the configuration was reloaded")).await;
    scene.get("/api/items", &[]).await;
    scene.process.signal("TERM").await;
    assert_eq!(scene.process.end().await.code, Some(0));
    let spans = second.trace_of("/api/items").await;
    assert_stages(&spans, &["GET", "transfer"]);
    assert!(!format!("{:?}", first.seen.spans.lock().unwrap()).contains("/api/items"));
}

#[tokio::test]
async fn what_was_lost_before_a_reload_is_no_fault_of_the_new_collector() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut scene = Scene::new(closed, "traces: 100%, metrics: 50ms").await;
    scene.get("/api/customers", &[]).await;
    scene.process.log_line(|line| message(line).starts_with("telemetry is not exported")).await;
    scene.status_with(|otlp| otlp["metrics"]["dropped"].as_u64() > Some(0)).await;

    let receiver = Receiver::start().await;
    let text = std::fs::read_to_string(&scene.prepared.file).unwrap();
    std::fs::write(&scene.prepared.file, text.replace(&closed.to_string(), &receiver.address.to_string())).unwrap();
    scene.process.log_line(|line| message(line).contains("the configuration was reloaded")).await;
    scene.get("/api/items", &[]).await;
    receiver.trace_of("/api/items").await;
    // The former exporter has dropped its spans.
    let otlp = scene.status_with(|otlp| otlp["traces"]["dropped"].as_u64() > Some(0)).await;
    assert!(otlp["failure"].is_null(), "{otlp}");
    let before = receiver.seen.requests.lock().unwrap().len();
    receiver.wait(|seen| (seen.requests.lock().unwrap().len() > before + 2).then_some(())).await;
    scene.process.signal("TERM").await;
    let log = scene.process.end().await.errors;
    let warning = format!("not exported to the OpenTelemetry collector at http://{}", receiver.address);
    assert!(!log.contains(&warning), "{log}");
}

#[tokio::test]
#[ignore = "needs rotel"]
async fn a_collector_that_was_not_written_here_takes_all_signals() {
    let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (http, grpc) = (free(), free());
    let path = "import os, rotel; print(os.path.join(os.path.dirname(rotel.__file__), 'rotel-agent'))";
    let found = Command::new("python3").args(["-c", path]).output().await.unwrap();
    let agent = String::from_utf8(found.stdout).unwrap();
    let mut collector = Command::new(agent.trim())
        .args(["start", "--exporter", "blackhole", "--debug-log-verbosity", "detailed"])
        .args(["--debug-log", "traces", "--debug-log", "metrics", "--debug-log", "logs"])
        .args(["--otlp-http-endpoint", &http.to_string(), "--otlp-grpc-endpoint", &grpc.to_string()])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let shown = Arc::new(Mutex::new(String::new()));
    let mut output = BufReader::new(collector.stdout.take().unwrap()).lines();
    // Read all the time: a full pipe would stop the collector.
    let _reading = AbortOnDropHandle::new(tokio::spawn({
        let shown = shown.clone();
        async move {
            while let Ok(Some(line)) = output.next_line().await {
                *shown.lock().unwrap() += &format!("{line}\n");
            }
        }
    }));
    within(async { while TcpStream::connect(http).await.is_err() {} }).await;

    let scene = Scene::new(http, "traces: 100%, metrics: 200ms, logs: true").await;
    scene.get("/api/customers", &[]).await;
    let otlp = scene
        .status_with(|otlp| ["traces", "metrics", "logs"].iter().all(|one| otlp[one]["exported"].as_u64() > Some(0)))
        .await;
    assert!(otlp["failure"].is_null(), "{otlp}");
    for expected in ["GET /api", "bcproxy_request_duration_seconds", "bcproxy::access", "service.name"] {
        within(async {
            while !shown.lock().unwrap().contains(expected) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
    }
    assert_eq!(scene.status().await["otlp"]["traces"]["dropped"], 0);
}
