//! Replicas that share the limits, beside one that has them to itself.
//!
//! ```text
//! cargo bench --bench replicas                   everything; about six minutes
//! cargo bench --bench replicas -- --quick        does it run at all? So does `cargo test --benches`
//! cargo bench --bench replicas -- latency        only parts whose name is given: concurrency, rate, latency
//! ```
//!
//! The replicas are processes behind HAProxy, with a real Redis. The simulator has Microsoft's limits, scaled down.

#[path = "../../tests/common/haproxy.rs"]
mod haproxy;
mod latency;
#[path = "../../tests/common/process.rs"]
mod process;
#[path = "../../tests/common/redis_server.rs"]
mod redis_server;
#[path = "../../tests/common/replicas.rs"]
mod replicas;
#[path = "../../tests/common/rig.rs"]
mod rig;
#[path = "../../tests/common/store_link.rs"]
mod store_link;
mod throughput;

use std::process::Command;

use bcproxy::simulator::{Matcher, Script, Times};
use hyper::StatusCode;

/// What is measured in a run.
pub struct Run {
    /// Whether its figures say nothing.
    pub is_quick: bool,
    parts: Vec<String>,
}

impl Run {
    fn has(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|asked| asked == part)
    }
}

#[tokio::main]
async fn main() {
    // `cargo test --benches` gives no arguments, `cargo bench` one.
    let mut run = Run { is_quick: true, parts: Vec::new() };
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--bench" => run.is_quick = false,
            "--quick" => {}
            part => run.parts.push(part.to_owned()),
        }
    }
    run.is_quick |= std::env::args().any(|argument| argument == "--quick");
    if let Some(missing) = ["redis-server", "haproxy"].into_iter().find(|name| !is_installed(name)) {
        println!("replicas: skipped, {missing} is not installed");
        return;
    }
    if run.is_quick {
        println!("a quick run: it shows that everything works, its figures say nothing");
    }
    if run.has("concurrency") {
        throughput::measure(&run, &throughput::CONCURRENCY).await;
    }
    if run.has("rate") {
        throughput::measure(&run, &throughput::RATE).await;
    }
    if run.has("latency") {
        latency::measure(&run).await;
    }
}

fn is_installed(command: &str) -> bool {
    // What it says of its version is of no interest, and neither whether it knows the question.
    Command::new(command).arg("-v").output().is_ok()
}

/// Where the measured requests go.
pub const PATH: &str = "/api/items";

/// Has Business Central respond to them with a small body.
pub fn respond(business_central: &bcproxy::simulator::BusinessCentral, shape: impl FnOnce(Script) -> Script) {
    let script = Script::response(StatusCode::OK).send("x".repeat(400));
    business_central.script(Matcher::any().path_ending("/items"), Times::Always, shape(script));
}
