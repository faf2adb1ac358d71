//! Slow clients, as slowhttptest plays them, and what the others feel of them.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crate::client::{Load, Outcome, Question};
use crate::peers::{Peer, Running, path_of};
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

/// The others' latencies without slow clients, while a thousand come, with them there, and with a thousand at another proxy of the same sort.
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
        let [mut alone, mut elsewhere, mut coming, mut there]: [Row; 4] = Default::default();
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
            for (at, a_second, row) in
                [(&other, AT_ONCE, &mut elsewhere), (&proxy, A_SECOND, &mut coming), (&proxy, AT_ONCE, &mut there)]
            {
                let url = format!("http://{}{}", at.address, path_of(*asks_for));
                let before = at.clients()?;
                let slow = Slow::start(&url, options, a_second)?;
                let mut count = count;
                if a_second == AT_ONCE {
                    arrived(at, before + SLOW).await?;
                } else if !quick {
                    count = SLOW / a_second * RATE as usize;
                }
                row.add(&load.run_paced(&question, count, Some(RATE)).await?);
                drop(slow);
            }
        }
        println!("| none | {alone} |");
        println!("| {name}, at another proxy | {elsewhere} |");
        println!("| {name}, while they come | {coming} |");
        println!("| {name}, all there | {there} |");
    }
    Ok(())
}

/// Waits until the proxy has so many clients, and has done what can be done for them.
async fn arrived(at: &Running, clients: usize) -> Result<()> {
    let arrival = async {
        let mut before = at.cpu()?;
        loop {
            tokio::time::sleep(GLANCE).await;
            let now = at.cpu()?;
            if at.clients()? >= clients && now - before <= GLANCE / 20 {
                return Ok(());
            }
            before = now;
        }
    };
    let missed = || format!("not all of {SLOW} slow clients came, or the proxy found no rest, in {MOST_ARRIVING:?}");
    tokio::time::timeout(MOST_ARRIVING, arrival).await.map_err(|_| missed())?
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
    /// Starts as many as are wanted, so many a second.
    fn start(url: &str, options: &[&str], a_second: usize) -> Result<Self> {
        let mut command = Command::new("slowhttptest");
        let (count, rate) = (SLOW.to_string(), a_second.to_string());
        command.args(options).args(["-c", &count, "-r", &rate, "-l", LONGEST, "-u", url]);
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

const SLOW: usize = 1_000;

/// How many come while the others are measured: slowhttptest's own choice.
const A_SECOND: usize = 50;

/// How many come when only their being there matters.
const AT_ONCE: usize = 500;

/// An arrival that takes longer is broken.
const MOST_ARRIVING: Duration = Duration::from_secs(30);

/// Seconds; they are ended long before.
const LONGEST: &str = "300";

/// How long the proxy's work is watched at a time.
const GLANCE: Duration = Duration::from_millis(500);

const ORDINARY: usize = 16;

/// A second, of all ordinary clients together.
const RATE: u32 = 1_000;

const SECONDS: usize = 10;
