//! A running bcproxy: its start, its health, its status and its log.

use std::net::{Ipv4Addr, SocketAddr};

use bcproxy::simulator::{Fault, Times};
use hyper::{Method, StatusCode};
use serde_json::Value;
use tempfile::TempDir;

use crate::command;
use crate::process::{Process, message};
use crate::rig::{self, ClientResponse, Plan};

#[tokio::test]
async fn it_starts_while_entra_is_down_and_says_so_to_its_clients() {
    let prepared = Plan::default().prepare().await;
    prepared.simulator.entra().fail(Fault::Unreachable, Times::Always);
    let mut process = Process::run(&prepared.file);
    let address = process.address().await;
    let response = get(address, "/api/customers").await;
    assert_eq!((response.status, response.error().0.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "Proxy_NoToken"));
    assert!(response.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn health_tells_containers_what_the_service_says() {
    let plan = Plan::default().another_connector("annex", &["client_id: 00000000-0000-0000-0000-0000000714e2"]);
    let routes = "routes: [ { path: /api, to: api/v2.0, connector: cronus } ]";
    let prepared = plan.top(routes).top("admin: { listen: 127.0.0.1:0 }").prepare().await;
    let mut process = Process::run(&prepared.file);
    let health = admin_address(&mut process).await;
    // The command reads the same file; where the port was left to the system it has to be told.
    let asking = prepared.folder.path().join("asking.yaml");
    let text = std::fs::read_to_string(&prepared.file).unwrap();
    std::fs::write(&asking, text.replace("admin: { listen: 127.0.0.1:0 }", &admin_at(health))).unwrap();
    let ask = async |connector: &[&str]| {
        command(prepared.folder.path(), &[&["health", "--config", "asking.yaml"], connector].concat()).await
    };

    for connector in [&[] as &[&str], &["cronus"]] {
        let ended = ask(connector).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.output.contains("cronus: ready"), "{ended:?}");
    }
    let ended = ask(&["nonsuch"]).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.errors.contains("The connectors are: cronus, annex"), "{ended:?}");
    // A route may have no working connector while others serve: a container is not restarted for that.
    let lines = ask(&[]).await.output;
    assert!(lines.starts_with("ready, but something needs attention\nannex: not ready."), "{lines}");
    // So it is while the file has mistakes: the previous configuration is in service.
    let good = std::fs::read_to_string(&asking).unwrap();
    std::fs::write(&asking, format!("{good}\nlisen: 127.0.0.1:1\n")).unwrap();
    let ended = ask(&[]).await;
    assert!(ended.code == Some(0) && ended.output.contains("cronus: ready"), "{ended:?}");
    std::fs::write(&asking, good).unwrap();
    let ended = ask(&["--all"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.errors.contains("annex: not ready"), "{ended:?}");

    drop(process);
    std::fs::write(&asking, text.replace("admin: { listen: 127.0.0.1:0 }", &admin_at(unused().await))).unwrap();
    let ended = ask(&[]).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.errors.contains("Check that it is running"), "{ended:?}");
    std::fs::write(&asking, text.replace("admin: { listen: 127.0.0.1:0 }", "admin: off")).unwrap();
    assert_eq!(ask(&[]).await.code, Some(2));
}

#[tokio::test]
async fn health_says_why_it_is_not_ready() {
    let prepared = Plan::default().top("admin: { listen: 127.0.0.1:0 }").prepare().await;
    let settings = prepared.simulator.settings();
    prepared.simulator.entra().expire_secret(settings.client_id, &settings.client_secret);
    let mut process = Process::run(&prepared.file);
    let health = admin_address(&mut process).await;
    let text = std::fs::read_to_string(&prepared.file).unwrap();
    std::fs::write(&prepared.file, text.replace("admin: { listen: 127.0.0.1:0 }", &admin_at(health))).unwrap();
    let ended = command(prepared.folder.path(), &["health"]).await;
    assert_eq!((ended.code, ended.output.as_str()), (Some(1), ""));
    assert!(ended.errors.contains("cronus: not ready") && ended.errors.contains("7000222"), "{ended:?}");
}

#[tokio::test]
async fn status_shows_the_running_bcproxy() {
    let prepared = Plan::default().top("admin: { listen: 127.0.0.1:0 }").prepare().await;
    let mut process = Process::run(&prepared.file);
    let proxy = process.address().await;
    let admin = admin_address(&mut process).await.to_string();
    // The address needs no file.
    let folder = TempDir::new().unwrap();
    let ask = async |more: &[&str]| command(folder.path(), &[&["status", "--at", &admin], more].concat()).await;
    process.log_line(|line| message(line).contains("ready")).await;
    assert_eq!(get(proxy, "/api/customers").await.status, StatusCode::OK);
    assert_eq!(get(proxy, "/api/nonsuch").await.status, StatusCode::NOT_FOUND);
    assert_eq!(get(proxy, "/api/../x").await.status, StatusCode::BAD_REQUEST);
    process.log_line(|line| is_access(line) && line["status"] == 400).await;

    let ended = ask(&[]).await;
    assert_eq!((ended.code, ended.errors.as_str()), (Some(0), ""), "{ended:?}");
    let rows: Vec<Vec<&str>> = ended.output.lines().map(|line| line.split_whitespace().collect()).collect();
    assert!(rows[0].starts_with(&["bcproxy", concat!(env!("CARGO_PKG_VERSION"), ":"), "ready,"]), "{}", ended.output);
    assert!(
        rows.contains(&"cronus ready Production CRONUS International Ltd.".split(' ').collect()),
        "{}",
        ended.output
    );
    assert!(rows.contains(&"/api api/v2.0 cronus 2 1 0".split(' ').collect()), "{}", ended.output);
    assert!(ended.output.contains(&format!("http://{proxy}")), "{}", ended.output);
    assert!(rows.iter().any(|row| row.ends_with(&["400", "127.0.0.1", "GET", "/api/../x"])), "{}", ended.output);

    let ended = ask(&["--output", "json"]).await;
    let said: Value = serde_json::from_str(&ended.output).unwrap();
    assert_eq!((ended.code, &said["connectors"][0]["name"]), (Some(0), &"cronus".into()));
    assert!(said["client_memory"].is_object(), "{said}");

    drop(process);
    let ended = ask(&[]).await;
    assert!(ended.code == Some(1) && ended.errors.contains("Check that it is running"), "{ended:?}");
}

#[tokio::test]
async fn status_fails_and_says_why_when_no_connector_is_ready() {
    let prepared = Plan::default().top("admin: { listen: 127.0.0.1:0 }").prepare().await;
    let settings = prepared.simulator.settings();
    prepared.simulator.entra().expire_secret(settings.client_id, &settings.client_secret);
    let mut process = Process::run(&prepared.file);
    let admin = admin_address(&mut process).await.to_string();
    process.log_line(|line| message(line).contains("7000222")).await;
    let ended = command(prepared.folder.path(), &["status", "--at", &admin]).await;
    assert_eq!((ended.code, ended.errors.as_str()), (Some(1), ""), "{ended:?}");
    assert!(ended.output.contains("cronus     not ready") && ended.output.contains("7000222"), "{}", ended.output);
}

#[tokio::test]
async fn every_request_is_one_line_of_json_without_what_was_asked_for() {
    let prepared = Plan::default().prepare().await;
    let mut process = Process::run(&prepared.file);
    let address = process.address().await;
    let response = get(address, "/api/customers?$filter=displayName%20eq%20'Geheimrat'&tenantless=Geheimnis").await;
    let line = process.log_line(is_access).await;
    assert_eq!(line["id"], response.headers["x-request-id"].to_str().unwrap());
    assert_eq!((&line["client"], &line["route"]), (&"127.0.0.1".into(), &"/api".into()));
    assert_eq!((&line["method"], &line["path"]), (&"GET".into(), &"/api/customers".into()));
    assert_eq!((line["status"].as_u64(), line["bytes"].as_u64()), (Some(200), Some(response.body.len() as u64)));
    assert!(line["upstream_ms"].as_f64().unwrap() <= line["total_ms"].as_f64().unwrap());
    assert!(line["token_age_s"].is_u64());
    assert_eq!((&line["outcome"], &line["reason"]), (&"complete".into(), &Value::Null));
    assert_eq!(line["client_id"], prepared.simulator.settings().client_id.to_string());

    let response = rig::send(address, Method::POST, "/api/a/../b?x=Geheimnis", &[], "Geheimsache").await;
    let line = process.log_line(is_access).await;
    assert_eq!(line["status"], 400);
    assert_eq!(line["reason"], response.error().1);
    for missing in ["upstream_ms", "token_age_s", "client_id"] {
        assert_eq!(line[missing], Value::Null, "{line}");
    }

    process.stop().await;
    let ended = process.end().await;
    let lines: Vec<Value> = ended.errors.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.iter().filter(|line| is_access(line)).count(), 2);
    let simulator = prepared.simulator.settings();
    for retained in ["Geheim", "Bearer", "eyJ", simulator.client_secret.as_str()] {
        assert!(!ended.errors.contains(retained), "{retained} is in {}", ended.errors);
    }
}

#[tokio::test]
async fn request_lines_can_be_turned_off() {
    let prepared = Plan::default().top("log: { requests: false, format: text }").prepare().await;
    let mut process = Process::run(&prepared.file);
    let address = process.address().await;
    assert_eq!(get(address, "/api/customers").await.status, StatusCode::OK);
    process.stop().await;
    let ended = process.end().await;
    assert!(ended.code == Some(0) || cfg!(windows), "{ended:?}");
    assert!(!ended.errors.contains("/api/customers") && !ended.errors.contains('{'), "{}", ended.errors);
}

fn is_access(line: &Value) -> bool {
    line["target"] == "bcproxy::access"
}

async fn get(address: SocketAddr, path: &str) -> ClientResponse {
    rig::send(address, Method::GET, path, &[], "").await
}

async fn admin_address(process: &mut Process) -> SocketAddr {
    let line = process.log_line(|line| message(line).starts_with("status page on ")).await;
    let address = message(&line).strip_prefix("status page on http://").and_then(|rest| rest.strip_suffix('/'));
    address.unwrap().parse().unwrap()
}

fn admin_at(address: SocketAddr) -> String {
    format!("admin: {{ listen: '{address}' }}")
}

/// An address nobody listens on.
async fn unused() -> SocketAddr {
    tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap()
}
