//! The matrix of old clients: each reads, creates and makes a SOAP call, over plain HTTP and over HTTPS.
//!
//! What counts is Business Central's record: each call arrived once and complete, and nothing else did. Other tests
//! have them do the same where they have to sign in.

mod check;
mod mtls;
mod payload;
mod programs;
mod setups;
mod sign_in;
mod table;

use std::fmt::Write;
use std::net::SocketAddr;

use bcproxy::simulator::Received;
use bcproxy::users::StoredHash;
use hyper::Method;
use serde_json::Value;
use tempfile::TempDir;

use crate::process::Process;
use crate::rig::{Plan, certify, send};
use crate::users;
use payload::Payload;
use setups::{Kind, SETUPS, Setup};

/// How programs reach the proxy.
const SCHEMES: [&str; 2] = ["http", "https"];

/// How one program comes to the proxy, once.
#[derive(Default)]
struct Visit<'a> {
    is_secured: bool,
    /// More keys of the listener, and of its `tls`.
    listener: &'a str,
    tls: &'a str,
    /// The file of users.
    users: &'a [(&'a str, &'a StoredHash)],
    /// The API key that the program sends in place of its user.
    key: Option<&'a str>,
    /// More files in the proxy's folder and in that of the program.
    files: &'a [(&'a str, &'a str)],
}

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
            let seen = see(setup, &Visit { is_secured: scheme == "https", ..Visit::default() }, &payload).await;
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
    table::keep("matrix", &table);
}

async fn see(setup: &Setup, visit: &Visit<'_>, payload: &Payload) -> Seen {
    let Visit { listener, tls, .. } = visit;
    let (scheme, tls) = match visit.is_secured {
        false => ("http", String::new()),
        true => ("https", format!("tls: {{ certificate: server.pem, private_key: server-key.pem, {tls} }}, ")),
    };
    let plan = Plan::default().top(&format!("listen: [ 127.0.0.1:0, {{ address: 127.0.0.1:0, {tls}{listener} }} ]"));
    let prepared = plan.top("log: { format: json }").top("users: users.txt").prepare().await;
    let folder = TempDir::new().unwrap();
    payload.lay_out(folder.path());
    certify(prepared.folder.path());
    std::fs::copy(prepared.folder.path().join("local-ca.pem"), folder.path().join("ca.pem")).unwrap();
    for (name, content) in visit.files {
        for folder in [prepared.folder.path(), folder.path()] {
            std::fs::write(folder.join(name), content).unwrap();
        }
    }
    users::write(prepared.folder.path(), visit.users);
    let mut process = Process::run(&prepared.file);
    let (plain, called) = (process.address().await, process.address().await);

    let addresses = addresses(setup.kind, &format!("{scheme}://localhost:{}", called.port()));
    let complaint = programs::run(setup.command, &addresses, visit.key, folder.path()).await.err();
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
