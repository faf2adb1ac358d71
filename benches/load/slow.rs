//! Slow clients, as slowhttptest plays them, and what the others feel of them.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crate::client::{Load, Outcome, Question};
use crate::peers::{Peer, path_of};
use crate::upstream::{Answer, Upstream};
use crate::{Result, Spread};

/// How a client is slow.
struct Slowness {
    name: &'static str,
    options: &'static [&'static str],
    asks_for: Answer,
}

const KINDS: [Slowness; 3] = [
    // Heads that go on for ever (slowloris).
    Slowness { name: "slow headers", options: &["-H", "-i", "1", "-x", "24"], asks_for: Answer::Small },
    // Bodies of a length that is never reached (RUDY).
    Slowness { name: "slow bodies", options: &["-B", "-i", "1", "-s", "65536", "-x", "24"], asks_for: Answer::Soap },
    // Answers that nobody reads.
    Slowness {
        name: "slow reading",
        options: &["-X", "-w", "512", "-y", "1024", "-n", "1", "-z", "32"],
        asks_for: Answer::Page,
    },
];

/// The others' latencies without slow clients, with a thousand of each kind at another proxy of the same sort, and with a thousand at theirs.
///
/// The slow ones and the system's work for them take their share of this machine wherever they are; only what goes beyond that is the proxy's.
pub async fn measure(peer: &Peer, upstream: &Upstream, folder: &Path, quick: bool) -> Result<()> {
    println!("\n{}: {ORDINARY} ordinary clients, {RATE} requests a second, beside {SLOW} slow ones", peer.name);
    if !has_slowhttptest() {
        println!("skipped: slowhttptest is not installed");
        return Ok(());
    }
    let rounds = if quick { 1 } else { 3 };
    let seconds = if quick { 2 } else { SECONDS };
    println!("| slow clients | p50 ms | p99 ms | failed |");
    println!("|---|---|---|---|");
    for Slowness { name, options, asks_for } in &KINDS {
        let (mut alone, mut elsewhere, mut beside) = (Row::default(), Row::default(), Row::default());
        for round in 0..rounds {
            // nginx takes no space in a path.
            let place = format!("{}-{}-{round}", peer.name, name).replace([' ', ','], "-");
            let proxy = peer.start(upstream, &folder.join(&place))?;
            let other = peer.start(upstream, &folder.join(format!("{place}-other")))?;
            let question = Arc::new(Question::new(Answer::Small, upstream));
            let mut load = Load::connect(&proxy, ORDINARY).await?;
            let count = seconds * RATE as usize;
            load.run(&question, ORDINARY).await?;
            alone.add(&load.run_paced(&question, count, Some(RATE)).await?);
            for (at, row) in [(&other, &mut elsewhere), (&proxy, &mut beside)] {
                let url = format!("http://{}{}", at.address, path_of(*asks_for));
                let slow = Slow::start(&url, options, seconds + 2 * CONNECTING.as_secs() as usize)?;
                // Until all of them are there.
                tokio::time::sleep(CONNECTING).await;
                row.add(&load.run_paced(&question, count, Some(RATE)).await?);
                drop(slow);
            }
        }
        println!("| none | {alone} |");
        println!("| {name}, at another proxy | {elsewhere} |");
        println!("| {name} | {beside} |");
    }
    Ok(())
}

#[derive(Default)]
struct Row {
    p50: Spread,
    p99: Spread,
    failed: usize,
}

impl Row {
    fn add(&mut self, outcome: &Outcome) {
        self.p50.add(outcome.percentile(50));
        self.p99.add(outcome.percentile(99));
        self.failed += outcome.failed;
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.2} | {:.2} | {}", self.p50, self.p99, self.failed)
    }
}

/// The slow clients; dropping it ends them.
struct Slow(Child);

impl Slow {
    fn start(url: &str, options: &[&str], seconds: usize) -> Result<Self> {
        let mut command = Command::new("slowhttptest");
        command.args(options).args(["-c", SLOW, "-r", "500", "-l", &seconds.to_string(), "-u", url]);
        let slow = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Ok(Self(slow))
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        // Fails only when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn has_slowhttptest() -> bool {
    Command::new("slowhttptest").arg("-h").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

const SLOW: &str = "1000";

/// 500 a second come.
const CONNECTING: Duration = Duration::from_secs(3);

const ORDINARY: usize = 16;

/// A second, of all ordinary clients together.
const RATE: u32 = 1_000;

const SECONDS: usize = 10;
