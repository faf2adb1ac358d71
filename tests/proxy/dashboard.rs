//! The dashboard in `deploy/grafana`: about metrics that exist, and with data in each panel.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bcproxy::simulator::{Matcher, Script, Times};
use hyper::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::alerts::{assert_names_exist, metrics};
use crate::rig::{Plan, Rig, SECURED, certify, send};
use crate::status::AdminRig;
use crate::wire::Wire;

fn dashboard() -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/grafana/dashboard.json");
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// A query of a panel, and how messages call it.
struct Query {
    panel: String,
    expression: String,
}

/// The queries of all panels. Each panel but rows and texts has at least one.
fn queries(dashboard: &Value) -> Vec<Query> {
    let mut all = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        if panel["type"] == "row" || panel["type"] == "text" {
            continue;
        }
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{panel}");
        all.extend(targets.iter().map(|target| Query {
            panel: format!("{} {}", panel["title"].as_str().unwrap(), target["refId"].as_str().unwrap()),
            expression: target["expr"].as_str().unwrap().to_owned(),
        }));
    }
    all
}

#[tokio::test]
async fn the_dashboard_is_about_metrics_that_exist() {
    let dashboard = dashboard();
    assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 38);
    assert_names_exist(&dashboard.to_string(), &metrics().await);
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
    for panel in panels.iter().filter(|panel| panel["type"] != "row" && panel["type"] != "text") {
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
        assert!(panel["description"].as_str().is_some_and(|text| text.ends_with('.')), "{}", panel["title"]);
    }
}

/// A proxy with all that the dashboard shows: a cache, a queue, a known client, a pause, a connector without a token.
async fn rig() -> Rig {
    let last_day = time::OffsetDateTime::now_utc().date() + time::Duration::days(10);
    let secret = format!("client_secret: {{ file: secret.txt, expires: {last_day} }}");
    let plan = Plan::default().connector(&secret).connector("limits: { concurrency: 1 }");
    let plan = plan.another_connector("annex", &["client_id: 00000000-0000-0000-0000-0000000714e2"]);
    let prepared = plan
        .top(&format!(
            "listen: [ 127.0.0.1:0, {SECURED} ]
clients: {{ till: {{ address: [ 127.0.0.0/8 ] }} }}
routes:
  - {{ path: /api, connector: cronus, to: api/v2.0, cache: 60s }}
  - {{ path: /soap, connector: cronus, to: soap }}
  - {{ path: /annex, connector: annex, to: api/v2.0 }}"
        ))
        .prepare()
        .await;
    certify(prepared.folder.path());
    prepared.start().await
}

/// Reads from a cache, errors, retries, requests that are queued and clients that leave, again and again.
fn traffic(rig: &Arc<Rig>) -> Vec<AbortOnDropHandle<()>> {
    let client = |number: usize| {
        let rig = rig.clone();
        AbortOnDropHandle::new(tokio::spawn(async move {
            loop {
                rig.get("/api/customers").await;
                rig.get("/api/customers(1)").await;
                rig.get("/nowhere").await;
                rig.call_soap("/soap/Codeunit/Tools").await;
                if number == 0 {
                    let busy = Script::busy(StatusCode::TOO_MANY_REQUESTS, Some(1));
                    rig.simulator.business_central().script(Matcher::any(), Times::Next(1), busy);
                    rig.get("/annex/customers").await;
                    let mut leaves = Wire::connect(rig.address()).await;
                    leaves.send("GET /api/items HTTP/1.1\r\nHost: erp\r\n\r\n").await;
                    leaves.reset();
                }
                rig.post_json("/api/customers", "{}").await;
            }
        }))
    };
    (0..4).map(client).collect()
}

/// A Prometheus that reads the metrics every second.
struct Prometheus {
    address: SocketAddr,
    _process: Child,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    fn of(admin: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let configuration = format!(
            "scrape_configs:
  - job_name: bcproxy
    scrape_interval: 1s
    scrape_timeout: 1s
    static_configs: [ {{ targets: [ \"{admin}\" ] }} ]\n"
        );
        std::fs::write(folder.path().join("prometheus.yml"), configuration).unwrap();
        let process = Command::new("prometheus")
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
            .arg(format!("--web.listen-address={address}"))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { address, _process: process, _folder: folder }
    }

    /// The numbers that a query finds now, and none while Prometheus starts.
    async fn query(&self, expression: &str) -> Vec<f64> {
        if tokio::net::TcpStream::connect(self.address).await.is_err() {
            return Vec::new();
        }
        let path = format!("/api/v1/query?query={}", utf8_percent_encode(expression, NON_ALPHANUMERIC));
        let response = send(self.address, Method::GET, &path, &[], "").await;
        if response.status == StatusCode::SERVICE_UNAVAILABLE {
            return Vec::new();
        }
        let found = response.json();
        assert_eq!(found["status"], "success", "{expression}: {found}");
        let series = found["data"]["result"].as_array().unwrap();
        let numbers = series.iter().map(|series| series["value"][1].as_str().unwrap().parse().unwrap());
        numbers.filter(|number: &f64| number.is_finite()).collect()
    }
}

/// What Grafana makes of a query while everything is chosen, without the zero that stands for no data.
fn as_sent(expression: &str) -> String {
    let expression = expression.split(" or label_replace(vector(0)").next().unwrap_or_default();
    let expression = expression.replace("$__rate_interval", "10s").replace(" or vector(0)", "");
    ["instance", "connector", "route"].iter().fold(expression, |text, name| text.replace(&format!("${name}"), ".*"))
}

#[tokio::test]
#[ignore = "needs prometheus"]
async fn each_panel_of_the_dashboard_has_data() {
    let rig = Arc::new(rig().await);
    let admin = AdminRig::of(&rig).await;
    let _traffic = traffic(&rig);
    let prometheus = Prometheus::of(admin.address);
    let mut missing = queries(&dashboard());
    let count = missing.len();
    let deadline = Instant::now() + Duration::from_secs(120);
    while !missing.is_empty() {
        let mut empty = Vec::new();
        for query in missing {
            let expression = as_sent(&query.expression);
            assert!(!expression.contains('$'), "{expression}");
            if prometheus.query(&expression).await.is_empty() {
                empty.push(query);
            }
        }
        missing = empty;
        let names: Vec<&str> = missing.iter().map(|query| query.panel.as_str()).collect();
        assert!(Instant::now() < deadline, "{} of {count} queries found nothing: {names:?}", missing.len());
    }
}
