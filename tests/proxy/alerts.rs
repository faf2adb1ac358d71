//! The alert rules in `deploy/prometheus`: valid, tested, and about metrics that exist.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use hyper::StatusCode;

use crate::rig::{Plan, SECURED, certify};
use crate::status::AdminRig;

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/prometheus"))
}

/// The metrics of a proxy that has served and rejected requests, with a collector that it does not call.
/// Its shared store is away.
pub async fn metrics() -> String {
    let last_day = time::OffsetDateTime::now_utc().date() + time::Duration::days(10);
    let secret = format!("client_secret: {{ file: secret.txt, expires: {last_day} }}");
    let listen = format!("listen: [ 127.0.0.1:0, {SECURED} ]");
    let collector = "telemetry: { otlp: { endpoint: \"http://127.0.0.1:4318\", traces: off } }";
    // Nothing listens on this port.
    let store = "shared_limits: { url: \"redis://127.0.0.1:1\" }";
    let prepared = Plan::default().connector(&secret).top(&listen).top(collector).top(store).prepare().await;
    certify(prepared.folder.path());
    let rig = prepared.start().await;
    assert_eq!(rig.get("/api/customers?$top=1").await.status, StatusCode::OK);
    assert_eq!(rig.get("/nowhere").await.status, StatusCode::NOT_FOUND);
    let admin = AdminRig::of(&rig).await;
    admin.wait_for("bcproxy_requests_total{route=\"/\",status=\"404\",outcome=\"complete\"}", 1.0).await;
    admin.ask("/metrics").await.text()
}

/// Checks that each metric which is named in a text exists.
pub fn assert_names_exist(text: &str, metrics: &str) {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let named: BTreeSet<&str> = words.filter(|word| word.starts_with("bcproxy_")).collect();
    assert!(named.len() > 10, "{named:?}");
    for name in named {
        let families = ["", "_total", "_bucket", "_sum", "_count"].into_iter().filter_map(|end| name.strip_suffix(end));
        let exists = families.into_iter().any(|family| metrics.contains(&format!("# TYPE {family} ")));
        assert!(exists, "{name}");
    }
}

#[tokio::test]
async fn alerts_are_about_metrics_that_exist() {
    let metrics = metrics().await;
    let rules = std::fs::read_to_string(folder().join("alerts.yaml")).unwrap();
    assert_names_exist(&rules, &metrics);
    for kind in rules.split("kind=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(metrics.contains(&format!("kind=\"{kind}\"")), "{kind}");
    }
}

#[tokio::test]
#[ignore = "needs promtool"]
async fn promtool_accepts_the_metrics_and_the_rules_and_the_rules_pass_their_tests() {
    for arguments in [["check", "rules", "alerts.yaml"], ["test", "rules", "alerts_test.yaml"]] {
        let output = Command::new("promtool").args(arguments).current_dir(folder()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("metrics");
    std::fs::write(&file, metrics().await).unwrap();
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::from(std::fs::File::open(&file).unwrap()));
    let output = promtool.output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty() && output.stdout.is_empty(), "{output:?}");
}
