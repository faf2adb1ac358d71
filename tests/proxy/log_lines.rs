//! What clients can write into the log.
#![cfg(unix)]

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bcproxy::config::Config;
use bcproxy::simulator::{Latch, Matcher, Script, Times};
use hyper::{Method, StatusCode};
use serde_json::Value;

use crate::process::{Process, message};
use crate::rig::{Plan, Prepared, send, until};
use crate::wire::Wire;

/// The lines about requests.
fn requests(log: &str) -> Vec<Value> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["target"] == "bcproxy::access").collect()
}

/// What a process logged that ran with this `log` while `work` was done.
async fn log_of(prepared: &Prepared, work: impl AsyncFnOnce(SocketAddr)) -> String {
    let mut process = Process::run(&prepared.file);
    let address = process.address().await;
    work(address).await;
    process.signal("TERM").await;
    process.end().await.errors
}

#[tokio::test]
async fn of_successes_a_share_is_logged_and_of_everything_else_each_one() {
    let prepared = Plan::default().top("log: { requests: { successes: 0% } }").prepare().await;
    let central = prepared.simulator.business_central();
    let log = log_of(&prepared, async |address| {
        for _ in 0..20 {
            assert_eq!(send(address, Method::GET, "/api/items", &[], "").await.status, 200);
        }
        central.script(Matcher::any(), Times::Next(1), Script::busy(StatusCode::BAD_GATEWAY, None));
        assert_eq!(send(address, Method::GET, "/api/items?retried", &[], "").await.status, 200);
        assert_eq!(send(address, Method::GET, "/api/customers(1)", &[], "").await.status, 404);
        assert_eq!(send(address, Method::GET, "/nowhere", &[], "").await.status, 404);
    })
    .await;
    let lines = requests(&log);
    let seen: Vec<_> =
        lines.iter().map(|line| (line["path"].as_str().unwrap(), line["attempts"].as_u64().unwrap_or(0))).collect();
    assert_eq!(seen, [("/api/items", 2), ("/api/customers(1)", 1), ("/nowhere", 0)], "{log}");
    assert!(lines.iter().all(|line| line.get("sampled").is_none()), "each of them stands for itself");
}

#[tokio::test]
async fn a_line_of_a_sample_says_how_many_requests_it_stands_for() {
    let prepared = Plan::default().top("log: { requests: { successes: 50% } }").prepare().await;
    let log = log_of(&prepared, async |address| {
        for _ in 0..64 {
            assert_eq!(send(address, Method::GET, "/api/items", &[], "").await.status, 200);
        }
    })
    .await;
    let lines = requests(&log);
    assert!((1..64).contains(&lines.len()), "{}", lines.len());
    assert!(lines.iter().all(|line| line["sampled"] == 2.0), "{lines:?}");
}

#[tokio::test]
async fn a_slow_request_is_logged_with_its_stages_even_where_no_request_is() {
    let prepared = Plan::default().top("log: { requests: false, slow: 1ms }").prepare().await;
    let latch = Latch::closed();
    let central = prepared.simulator.business_central();
    let script = Script::response(StatusCode::OK).hold_head(&latch);
    central.script(Matcher::any().path_ending("/items"), Times::Next(1), script);
    let log = log_of(&prepared, async |address| {
        let slow = tokio::spawn(async move { send(address, Method::POST, "/api/items", &[], "{}").await });
        until(|| prepared.received().iter().any(|received| received.target.ends_with("/items"))).await;
        // The time that Business Central takes.
        tokio::time::sleep(Duration::from_millis(20)).await;
        latch.open();
        assert_eq!(slow.await.unwrap().status, 200);
    })
    .await;
    let [line] = requests(&log).try_into().unwrap();
    assert_eq!((&line["level"], message(&line)), (&"WARN".into(), "slow request"), "{line}");
    let ms = |name: &str| line[name].as_f64().unwrap_or_else(|| panic!("{name} in {line}"));
    assert!(ms("receive_ms") >= 0.0 && ms("queue_ms") >= 0.0 && ms("upstream_ms") >= 10.0, "{line}");
    // There is no time for a token if the request found one.
    let token = line["token_ms"].as_f64().unwrap_or_default();
    let stages: f64 = ["receive_ms", "queue_ms", "upstream_ms", "transfer_ms"].map(ms).iter().sum();
    assert!(stages + token <= ms("total_ms") + 0.1, "{line}");
}

#[tokio::test]
async fn the_stall_of_a_client_is_transfer() {
    let prepared = Plan::default().top("log: { requests: false, slow: 100ms }").prepare().await;
    let central = prepared.simulator.business_central();
    let script = Script::response(StatusCode::OK).fill(16 << 20);
    central.script(Matcher::any().path_ending("/items"), Times::Next(1), script);
    let log = log_of(&prepared, async |address| {
        let mut client = Wire::connect(address).await;
        client.send("GET /api/items HTTP/1.1\r\nHost: erp\r\n\r\n").await;
        let head = client.head().await;
        // The time that the client takes.
        tokio::time::sleep(Duration::from_millis(200)).await;
        client.count(head.header("content-length").unwrap().parse().unwrap()).await;
    })
    .await;
    let [line] = requests(&log).try_into().unwrap();
    let ms = |name: &str| line[name].as_f64().unwrap_or_else(|| panic!("{name} in {line}"));
    assert!(ms("transfer_ms") >= 150.0 && ms("upstream_ms") < ms("transfer_ms"), "{line}");
}

/// The text of the log's file; empty if there is none.
fn text(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_default()
}

/// The address in a line of the log's file.
async fn address_in(file: &Path) -> SocketAddr {
    until(|| text(file).contains("listening on ")).await;
    let text = text(file);
    let (_, address) = text.split_once("listening on http://").unwrap();
    address.split('"').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_log_in_a_file_is_continued_at_a_restart_and_leaves_standard_error_empty() {
    let prepared = Plan::default().top("log: { file: logs/bcproxy.log }").prepare().await;
    let file = prepared.folder.path().join("logs/bcproxy.log");
    for run in 1..=2 {
        let process = Process::run(&prepared.file);
        until(|| text(&file).matches("listening on ").count() == run).await;
        process.signal("TERM").await;
        let ended = process.end().await;
        assert_eq!((ended.code, ended.errors.as_str()), (Some(0), ""));
        assert_eq!(text(&file).matches("\"stopped\"").count(), run, "{}", text(&file));
    }
}

#[tokio::test]
async fn a_log_that_cannot_be_written_stops_nothing_and_says_later_what_was_lost() {
    let prepared =
        Plan::default().top("log: { file: logs/bcproxy.log }\nadmin: { listen: 127.0.0.1:0 }").prepare().await;
    let folder = prepared.folder.path().join("logs");
    let (file, aside) = (folder.join("bcproxy.log"), prepared.folder.path().join("aside"));
    let process = Process::run(&prepared.file);
    let address = address_in(&file).await;
    until(|| text(&file).contains("status page on http://")).await;
    let log = text(&file);
    let (_, admin) = log.split_once("status page on http://").unwrap();
    let admin: SocketAddr = admin.split('/').next().unwrap().parse().unwrap();
    std::fs::rename(&folder, &aside).unwrap();
    std::fs::write(&folder, "no folder").unwrap();
    assert_eq!(send(address, Method::GET, "/nowhere", &[], "").await.status, 404);
    let lost = async || {
        let metrics = send(admin, Method::GET, "/metrics", &[], "").await.text();
        !metrics.contains("bcproxy_log_lines_unwritten_total 0")
    };
    while !lost().await {}
    std::fs::remove_file(&folder).unwrap();
    assert_eq!(send(address, Method::GET, "/elsewhere", &[], "").await.status, 404);
    until(|| text(&file).contains("log lines were lost, because the log could not be written")).await;
    process.signal("TERM").await;
    let ended = process.end().await;
    assert!(ended.errors.contains("The log cannot be written to "), "{}", ended.errors);
}

#[tokio::test]
async fn a_log_file_that_cannot_be_opened_ends_the_start_and_is_found_by_check() {
    let prepared = Plan::default().top("log: { file: a/b/bcproxy.log }").prepare().await;
    let ended = Process::run(&prepared.file).end().await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.errors.contains("neither the folder of this file nor the one above it exists"), "{}", ended.errors);
    std::fs::create_dir(prepared.folder.path().join("a")).unwrap();
    std::fs::write(prepared.folder.path().join("a/b"), "").unwrap();
    let ended = Process::run(&prepared.file).end().await;
    assert!(ended.errors.contains("the folder of this file is itself a file"), "{}", ended.errors);
}

#[tokio::test]
async fn the_log_goes_to_no_file_that_bcproxy_reads() {
    for file in ["proxy.yaml", "secret.txt", "ca.pem", "server.pem", "./server-key.pem"] {
        let prepared = Plan::default().secured().top(&format!("log: {{ file: {file} }}")).prepare().await;
        let before = std::fs::read(prepared.folder.path().join(file)).unwrap();
        let ended = Process::run(&prepared.file).end().await;
        assert_eq!(ended.code, Some(2), "{file}");
        assert!(ended.errors.contains("bcproxy reads this file, and the log would damage it"), "{}", ended.errors);
        assert_eq!(std::fs::read(prepared.folder.path().join(file)).unwrap(), before);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_to_a_file_that_bcproxy_reads_is_no_file_for_the_log() {
    let prepared = Plan::default().top("log: { file: bcproxy.log }").prepare().await;
    let link = |target| std::os::unix::fs::symlink(target, prepared.folder.path().join("bcproxy.log"));
    link("proxy.yaml").unwrap();
    let mistakes = Config::load(&prepared.file).unwrap_err().to_string();
    assert!(mistakes.contains("name a file of its own for the log"), "{mistakes}");
}

#[tokio::test]
async fn a_client_that_repeats_a_rejected_request_fills_no_log() {
    const REQUESTS: usize = 200;
    let prepared = Plan::default().prepare().await;
    let mut process = Process::run(&prepared.file);
    let address = process.address().await;
    let path = format!("/elsewhere/{}", "x".repeat(40_000));
    let agent = "y".repeat(6_000);
    for _ in 0..REQUESTS {
        let response = send(address, Method::GET, &path, &[("user-agent", &agent)], "").await;
        assert_eq!(response.status, 404, "no route leads there");
    }
    process.signal("TERM").await;
    let ended = process.end().await;
    let lines: Vec<&str> = ended.errors.lines().filter(|line| line.contains("127.0.0.1")).collect();
    assert!(lines.iter().all(|line| line.len() < 4_096), "{lines:?}");
    let values = lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let (whole, counted): (Vec<_>, Vec<_>) = values
        .filter(|line| line["target"] == "bcproxy::access" || message(line).starts_with("rejected "))
        .partition(|line| line["target"] == "bcproxy::access");
    assert!(whole.len() < REQUESTS / 2, "{}", whole.len());
    let counted: u64 = counted.iter().map(|line| line["count"].as_u64().unwrap()).sum();
    assert_eq!(whole.len() as u64 + counted, REQUESTS as u64);
}
