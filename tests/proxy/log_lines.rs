//! What clients can write into the log.
#![cfg(unix)]

use hyper::Method;

use crate::process::{Process, message};
use crate::rig::{Plan, send};

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
    let values = lines.iter().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let (whole, counted): (Vec<_>, Vec<_>) = values
        .filter(|line| line["target"] == "bcproxy::access" || message(line).starts_with("rejected "))
        .partition(|line| line["target"] == "bcproxy::access");
    assert!(whole.len() < REQUESTS / 2, "{}", whole.len());
    let counted: u64 = counted.iter().map(|line| line["count"].as_u64().unwrap()).sum();
    assert_eq!(whole.len() as u64 + counted, REQUESTS as u64);
}
