//! The matrix of old clients: each reads, creates and makes a SOAP call, over plain HTTP and over HTTPS.
//!
//! What counts is Business Central's record: each call arrived once and complete, and nothing else did.

mod check;
mod payload;
mod programs;
mod setups;
mod table;

use std::fmt::Write;
use std::net::SocketAddr;

use bcproxy::simulator::Received;
use hyper::Method;
use serde_json::Value;
use tempfile::TempDir;

use crate::process::Process;
use crate::rig::{Plan, SECURED, certify, send};
use payload::Payload;
use setups::{Kind, SETUPS, Setup};

/// How programs reach the proxy.
const SCHEMES: [&str; 2] = ["http", "https"];

/// What was seen of one set-up over one scheme.
struct Seen {
    /// What the program complained about, if it failed.
    complaint: Option<String>,
    /// What it got from its read, its create and its call.
    got: [Vec<u8>; 3],
    /// What arrived at Business Central.
    received: Vec<Received>,
    /// The access log.
    log: Vec<Value>,
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the old clients"]
async fn every_old_client_reads_creates_and_calls_and_each_body_arrives_once() {
    programs::build().await;
    let (mut rows, mut mistakes) = (Vec::new(), String::new());
    for setup in SETUPS {
        let payload = Payload::default();
        let mut log = Vec::new();
        for scheme in SCHEMES {
            let seen = see(setup, scheme, &payload).await;
            if let Err(mistake) = check::check(setup, &seen, &payload) {
                writeln!(mistakes, "{} ({}) over {scheme}: {mistake}", setup.name, setup.command).unwrap();
            }
            log.push(seen.log);
        }
        rows.push(table::row(setup, &log));
    }
    let table = table::of(&rows);
    println!("{table}");
    assert!(mistakes.is_empty(), "\n{mistakes}");
    table::keep(&table);
}

async fn see(setup: &Setup, scheme: &str, payload: &Payload) -> Seen {
    let plan = Plan::default().top(&format!("listen: [ 127.0.0.1:0, {SECURED} ]")).top("log: { format: json }");
    let prepared = plan.prepare().await;
    certify(prepared.folder.path());
    let mut process = Process::run(&prepared.file);
    let (plain, secured) = (process.address().await, process.address().await);
    let folder = TempDir::new().unwrap();
    payload.lay_out(folder.path());
    std::fs::copy(prepared.folder.path().join("local-ca.pem"), folder.path().join("ca.pem")).unwrap();

    let port = if scheme == "https" { secured.port() } else { plain.port() };
    let addresses = addresses(setup.kind, &format!("{scheme}://localhost:{port}"));
    let complaint = programs::run(setup.command, &addresses, folder.path()).await.err();
    let received = prepared.received();
    let log = log_until_now(&mut process, plain, received.len()).await;
    let got = ["read", "create", "call"].map(|file| std::fs::read(folder.path().join(file)).unwrap_or_default());
    Seen { complaint, got, received, log }
}

/// As the program's configuration named them while the server was still NAV, but for the origin.
fn addresses(kind: Kind, origin: &str) -> Vec<String> {
    let paths: &[&str] = match kind {
        Kind::Http => &[
            "ODataV4/Company('CRONUS%20International%20Ltd.')/Customer('10000')",
            "ODataV4/Company('CRONUS%20International%20Ltd.')/Customer",
            "WS/CRONUS%20International%20Ltd./Codeunit/Tools",
        ],
        Kind::Soap => &[
            "WS/CRONUS%20International%20Ltd./Page/Customer?wsdl",
            "WS/CRONUS%20International%20Ltd./Codeunit/Tools?wsdl",
        ],
    };
    paths.iter().map(|path| format!("{origin}/BC140/{path}")).collect()
}

/// The access log so far, handshakes included. It holds at least one line for each request that was forwarded.
async fn log_until_now(process: &mut Process, address: SocketAddr, forwarded: usize) -> Vec<Value> {
    let mut lines = Vec::new();
    let mut answered = 0;
    while answered < forwarded {
        let line = process.log_line(|line| line["outcome"].is_string()).await;
        answered += usize::from(line["outcome"] != "handshake");
        lines.push(line);
    }
    // What else there is was answered before this one is.
    send(address, Method::GET, "/unrouted/end", &[], "").await;
    loop {
        let line = process.log_line(|line| line["outcome"].is_string()).await;
        if line["path"] == "/unrouted/end" {
            return lines;
        }
        lines.push(line);
    }
}
