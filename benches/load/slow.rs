//! Slow clients, as slowhttptest plays them, and what the others feel of them.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use crate::Result;
use crate::client::{Load, Outcome, Question};
use crate::peers::{Peer, path_of};
use crate::upstream::{ResponseKind, Upstream};

/// How a client is slow.
pub struct Slowness {
    pub name: &'static str,
    options: &'static [&'static str],
    asks_for: ResponseKind,
}

pub const KINDS: [Slowness; 3] = [
    // Heads that go on for ever (slowloris).
    Slowness { name: "slow headers", options: &["-H", "-i", "1", "-x", "24"], asks_for: ResponseKind::Small },
    // Bodies of a length that is never reached (RUDY).
    Slowness {
        name: "slow bodies",
        options: &["-B", "-i", "1", "-s", "65536", "-x", "24"],
        asks_for: ResponseKind::Soap,
    },
    // Answers that nobody reads.
    Slowness {
        name: "slow reading",
        options: &["-X", "-w", "512", "-y", "1024", "-n", "1", "-z", "32"],
        asks_for: ResponseKind::Page,
    },
];

/// The others' latencies without slow clients, and over a run of slowhttptest, here and at another proxy of the same
/// sort.
///
/// Slow clients and the system's work for them take their share of this machine at any proxy. Only what exceeds that
/// is this proxy's.
pub async fn measure(kinds: &[&Slowness], peer: &Peer, upstream: &Upstream, folder: &Path, quick: bool) -> Result<()> {
    println!("\n{}: {ORDINARY} ordinary clients, {RATE} requests a second, beside {SLOW} slow ones", peer.name);
    if !has_slowhttptest() {
        println!("skipped: slowhttptest is not installed");
        return Ok(());
    }
    let [brief, coming, whole] = if quick { [1, 1, 2] } else { [BRIEF, SLOW / A_SECOND, RUN] };
    println!("| slow clients | p50 ms | p99 ms | failed |");
    println!("|---|---|---|---|");
    for Slowness { name, options, asks_for } in kinds {
        // nginx takes no space in a path.
        let location = format!("{}-{name}", peer.name).replace([' ', ','], "-");
        let proxy = peer.start(upstream, &folder.join(&location))?;
        let other = peer.start(upstream, &folder.join(format!("{location}-other")))?;
        let mut ordinary = Ordinary {
            load: Load::connect(&proxy, ORDINARY).await?,
            question: Arc::new(Question::new(ResponseKind::Small, upstream)),
        };
        ordinary.ask_for(brief).await?;
        row("none", &ordinary.ask_for(brief).await?);
        for (at, location, there) in [(&other, " at another proxy", brief), (&proxy, "", whole - coming)] {
            let before = at.clients()?;
            let slow = Slow::start(&format!("http://{}{}", at.address, path_of(*asks_for)), options)?;
            let first = ordinary.ask_for(coming).await?;
            let came = at.clients()?.saturating_sub(before);
            // Those who send no whole head are cut off after 10 s, so not all are there at any time.
            if !quick && came < SLOW / 4 {
                return Err(format!("{name}: only {came} of {SLOW} came").into());
            }
            let then = ordinary.ask_for(there).await?;
            drop(slow);
            row(&format!("{name}{location}: the first {coming} s, while they come"), &first);
            row(&format!("{name}{location}: the next {there} s"), &then);
            row(&format!("{name}{location}: all the time"), &first.with(then));
        }
    }
    Ok(())
}

/// The clients that are not slow.
struct Ordinary {
    load: Load,
    question: Arc<Question>,
}

impl Ordinary {
    /// What became of the requests of so many seconds.
    async fn ask_for(&mut self, seconds: usize) -> Result<Outcome> {
        self.load.run_at_rate(&self.question, seconds * RATE as usize, Some(RATE)).await
    }
}

fn row(name: &str, outcome: &Outcome) {
    println!("| {name} | {:.2} | {:.2} | {} |", outcome.percentile(50), outcome.percentile(99), outcome.failed);
}

/// The slow clients; dropping it ends them.
struct Slow(Child);

impl Slow {
    /// They come one after the other.
    fn start(url: &str, options: &[&str]) -> Result<Self> {
        let mut command = Command::new("slowhttptest");
        let (count, rate) = (SLOW.to_string(), A_SECOND.to_string());
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

/// How many of them come each second: slowhttptest's own choice.
const A_SECOND: usize = 50;

/// How long its run is, in seconds: its own choice, too.
const RUN: usize = 240;

/// How long the others are asked without it, in seconds.
const BRIEF: usize = 10;

/// Seconds; it is ended before.
const LONGEST: &str = "300";

const ORDINARY: usize = 16;

/// A second, of all ordinary clients together.
const RATE: u32 = 1_000;
