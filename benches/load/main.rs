//! The whole proxy under load, beside nginx with a static header: what a request costs, and what memory and a start
//! cost.
//!
//! ```text
//! cargo bench --bench load                            everything; three quarters of an hour
//! cargo bench --bench load -- --quick                 does it run at all? Seconds; so does `cargo test --benches`
//! cargo bench --bench load -- --rounds 8 small        more rounds; only parts whose name is given: small, limits, pages, idle, large, start,
//!                                                     cold, hostile, admin, slow (half an hour of it); or tables whose title holds
//!                                                     the word, such as bombs or passwords
//! cargo bench --bench load -- --beside OTHER_BCPROXY  another bcproxy binary in the same rounds: before and after
//! ```
//!
//! The proxies take turns within each round, since a busy machine changes from minute to minute. Only the proxy's CPU
//! time counts; the client and the upstream run in this process. Linux only: the figures come from `/proc`.

mod admin;
mod bombs;
mod client;
mod guesses;
mod hostile;
mod peers;
mod slow;
mod upstream;

use std::error::Error;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

use client::{Load, Question};
use peers::{Kind, Peer, Running, WIDE};
use tempfile::TempDir;
use upstream::{LARGE_BYTES, ResponseKind, Upstream};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// How much is measured.
struct Plan {
    rounds: usize,
    quick: bool,
    /// Parts asked for; empty for all.
    parts: Vec<String>,
    peers: Vec<Peer>,
}

/// One load: an answer, asked for on so many connections.
struct Scene {
    part: &'static str,
    title: &'static str,
    response: ResponseKind,
    connections: usize,
    /// Requests in each round.
    requests: usize,
    /// How many a second at most; otherwise as fast as they are answered.
    rate: Option<u32>,
}

const SCENES: [Scene; 10] = [
    small("Small GET", ResponseKind::Small),
    // A faster proxy has more waiting for it at every look, so its share of each wake-up is smaller. Here all have the
    // same.
    Scene { requests: 10_000, rate: Some(5_000), ..small("Small GET, 5,000 a second", ResponseKind::Small) },
    small("Small SOAP POST", ResponseKind::Soap),
    Scene { part: "limits", ..small("Small GET, with limits that hold nobody up and without", ResponseKind::Small) },
    page("1 MiB page with 2,000 addresses", ResponseKind::Page),
    page("1 MiB page with 2,000 addresses, chunked upstream", ResponseKind::ChunkedPage),
    page("1 MiB page with 2,000 addresses, gzip upstream", ResponseKind::GzipPage),
    page("1 MiB page without addresses", ResponseKind::Plain),
    page("the same bytes as a file, in which nobody looks for addresses", ResponseKind::File),
    page("the same file, gzip upstream: inflating alone", ResponseKind::GzipFile),
];

const fn small(title: &'static str, response: ResponseKind) -> Scene {
    Scene { part: "small", title, response, connections: 64, requests: 20_000, rate: None }
}

const fn page(title: &'static str, response: ResponseKind) -> Scene {
    Scene { part: "pages", title, response, connections: 8, requests: 600, rate: None }
}

fn main() -> ExitCode {
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<()> {
    if !Path::new("/proc/self/stat").exists() {
        println!("load: skipped, the figures come from Linux' /proc");
        return Ok(());
    }
    let folder = TempDir::with_prefix("bcproxy-load-")?;
    let plan = Plan::from_arguments(std::env::args().skip(1), folder.path())?;
    let cores = std::thread::available_parallelism()?.get();
    // One core is the proxy's; who waits beside slow clients waits for all that the proxy has.
    let result = on_threads(cores.saturating_sub(1).max(1), plan.carry_out(folder.path()))
        .and_then(|()| on_threads(cores, plan.slow(folder.path(), cores)));
    if result.is_err() {
        println!("what the proxies wrote is kept in {}", folder.keep().display());
    }
    result
}

/// Builds the release binary once more, at the same path, as users build it.
///
/// The one that `cargo bench` builds shares its crates with the tests. Tokio's test clock alone costs it several
/// percent.
fn build_as_users_do() -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo).args(["build", "--release", "--locked", "--bin", "bcproxy"]).status()?;
    if built.success() { Ok(()) } else { Err("the release binary can't be built".into()) }
}

fn on_threads(count: usize, work: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(count).enable_all().build()?.block_on(work)
}

impl Plan {
    /// `folder`: for copies of the binaries.
    fn from_arguments(arguments: impl Iterator<Item = String>, folder: &Path) -> Result<Self> {
        let peer = |name: &str, kind: Kind, logs| Peer {
            name: name.to_owned(),
            kind,
            logs,
            secured: false,
            workers: 1,
            admin: None,
            files: None,
            guarded: false,
        };
        // `cargo test --benches` gives no arguments, `cargo bench` one.
        let mut plan = Self { rounds: 5, quick: true, parts: Vec::new(), peers: Vec::new() };
        if peers::has_nginx() {
            plan.peers.push(peer("nginx, static header", Kind::Nginx { rewrites: false }, false));
            plan.peers.push(peer("nginx, logging requests", Kind::Nginx { rewrites: false }, true));
            plan.peers.push(peer("nginx, sub_filter", Kind::Nginx { rewrites: true }, false));
        } else {
            println!("nginx is not installed: its rows are left out");
        }
        let mut arguments = arguments;
        let (mut quick, mut other) = (false, None);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--bench" => plan.quick = false,
                "--quick" => quick = true,
                "--rounds" => plan.rounds = arguments.next().ok_or("--rounds needs a number")?.parse()?,
                "--beside" => other = Some(arguments.next().ok_or("--beside needs the path of a bcproxy")?),
                part => plan.parts.push(part.to_owned()),
            }
        }
        plan.quick |= quick;
        if plan.quick {
            plan.rounds = 1;
            println!("a quick run: it shows that everything works, its figures say nothing");
        } else {
            build_as_users_do()?;
        }
        let mut binaries = vec![("bcproxy", env!("CARGO_BIN_EXE_bcproxy").to_owned())];
        binaries.extend(other.map(|path| ("the other bcproxy", path)));
        for (name, path) in binaries.into_iter().rev() {
            // Each is a fresh copy: the same program takes several percent more CPU from a file that a linker wrote
            // than from a copy of it, for the sake of larger pages.
            let binary = folder.join(name.replace(' ', "-"));
            std::fs::copy(path, &binary)?;
            let kind = Kind::Bcproxy { binary, limits: WIDE };
            plan.peers.insert(0, peer(&format!("{name}, logging requests"), kind.clone(), true));
            plan.peers.insert(0, peer(name, kind, false));
        }
        Ok(plan)
    }

    async fn carry_out(&self, folder: &Path) -> Result<()> {
        let upstream = Upstream::start().await?;
        let asked = |part: &str| self.parts.is_empty() || self.parts.iter().any(|asked| asked == part);
        for scene in SCENES.iter().filter(|scene| asked(scene.part) || self.names(scene.title)) {
            self.load(scene, &upstream, folder).await?;
        }
        if asked("idle") {
            self.idle(&upstream, folder).await?;
        }
        if asked("large") {
            self.large(&upstream, folder).await?;
        }
        if asked("start") {
            self.start(&upstream, folder)?;
        }
        if asked("cold") {
            self.cold(&upstream, folder).await?;
        }
        let attacks = hostile::ATTACKS.iter().filter(|attack| asked("hostile") || self.names(attack.title));
        let attacks: Vec<_> = attacks.collect();
        if !attacks.is_empty() {
            let (share, settling) = if self.quick { (100, Duration::ZERO) } else { (1, Duration::from_secs(60)) };
            hostile::measure(&attacks, self.quiet_peers(), &upstream, folder, share, settling).await?;
        }
        if asked("admin") {
            admin::measure(self.quiet_peers(), &upstream, folder, self.count(21_000, 420)).await?;
        }
        Ok(())
    }

    /// `cores`: how many threads a proxy has by default.
    async fn slow(&self, folder: &Path, cores: usize) -> Result<()> {
        let is_asked = |name| self.parts.is_empty() || self.names(name);
        if is_asked(bombs::TITLE) {
            let upstream = Upstream::start().await?;
            let rounds = self.count(10, 1);
            for peer in self.quiet_peers().filter(|peer| matches!(peer.kind, Kind::Bcproxy { .. })) {
                bombs::measure(&peer.on_threads(cores), &upstream, folder, rounds).await?;
            }
        }
        if is_asked(guesses::TITLE) {
            let upstream = Upstream::start().await?;
            for peer in self.quiet_peers().filter(|peer| peer.name == "bcproxy") {
                guesses::measure(&peer.on_threads(cores), &upstream, folder, self.count(10, 1)).await?;
            }
        }
        let kinds: Vec<_> = slow::KINDS.iter().filter(|kind| is_asked(kind.name)).collect();
        if kinds.is_empty() {
            return Ok(());
        }
        let upstream = Upstream::start().await?;
        for peer in self.quiet_peers() {
            slow::measure(&kinds, &peer.on_threads(cores), &upstream, folder, self.quick).await?;
        }
        Ok(())
    }

    /// Whether a word that was given is in this title.
    fn names(&self, title: &str) -> bool {
        self.parts.iter().any(|asked| title.contains(asked.as_str()))
    }

    /// A smaller number in quick mode.
    fn count(&self, full: usize, quick: usize) -> usize {
        if self.quick { quick } else { full }
    }

    fn settling(&self) -> Duration {
        if self.quick { Duration::ZERO } else { SETTLING_TIME }
    }

    /// Logging and turning addresses make no difference to memory and starts.
    fn quiet_peers(&self) -> impl Iterator<Item = &Peer> {
        self.peers.iter().filter(|peer| !peer.logs && !matches!(peer.kind, Kind::Nginx { rewrites: true }))
    }

    async fn load(&self, scene: &Scene, upstream: &Upstream, folder: &Path) -> Result<()> {
        let Scene { title, connections, .. } = scene;
        let requests = self.count(scene.requests, 2 * connections);
        let peers: Vec<Peer> = match scene.part {
            "limits" => self.peers.iter().filter(|peer| !peer.logs).flat_map(Peer::with_and_without_limits).collect(),
            "small" => self.peers.clone(),
            // A line in the log is nothing beside a page.
            _ => self.peers.iter().filter(|peer| !peer.logs).cloned().collect(),
        };
        let mut rows: Vec<[Spread; 4]> = peers.iter().map(|_| Default::default()).collect();
        let mut order: Vec<usize> = (0..peers.len()).collect();
        for _ in 0..self.rounds {
            // Neither a place in the round nor a predecessor favors anybody.
            fastrand::shuffle(&mut order);
            for &number in &order {
                // A process of its own for every turn: where its memory happens to lie makes a difference, too.
                let proxy = peers[number].start(upstream, &folder.join(format!("load-{number}")))?;
                scene.once(upstream, &proxy, requests, &mut rows[number]).await?;
            }
        }
        println!("\n{title}, {connections} connections, rounds of {requests} requests: {}", self.rounds);
        println!("| proxy | CPU µs per request | p50 ms | p99 ms | requests per second |");
        println!("|---|---|---|---|---|");
        for (peer, [cpu, p50, p99, rate]) in peers.iter().zip(&rows) {
            println!("| {} | {cpu:.1} | {p50:.2} | {p99:.2} | {rate:.0} |", peer.name);
        }
        Ok(())
    }

    async fn idle(&self, upstream: &Upstream, folder: &Path) -> Result<()> {
        println!("\nIdle keep-alive connections, each after one request");
        println!("| proxy | connections | resident before | resident after | KiB per connection |");
        println!("|---|---|---|---|---|");
        let question = Arc::new(Question::new(ResponseKind::Small, upstream));
        let secured = self.quiet_peers().map(Peer::over_tls);
        for (number, peer) in self.quiet_peers().cloned().chain(secured).enumerate() {
            for count in if self.quick { vec![100] } else { vec![1_000, 10_000] } {
                if !can_open(count)? {
                    println!("| {} | {count}: skipped, too few open files allowed (ulimit -n) | | | |", peer.name);
                    continue;
                }
                let proxy = peer.start(upstream, &folder.join(format!("idle-{number}-{count}")))?;
                let (before, _) = proxy.memory()?;
                let mut loads = Vec::new();
                // A few at a time, so that the upstream connections are few.
                for _ in 0..count / IDLE_AT_ONCE {
                    let mut load = Load::connect(&proxy, IDLE_AT_ONCE).await?;
                    let outcome = load.run(&question, IDLE_AT_ONCE).await?;
                    no_failures(&peer, outcome.failed)?;
                    loads.push(load);
                }
                // Nobody is idle at once.
                tokio::time::sleep(self.settling()).await;
                let (after, _) = proxy.memory()?;
                let each = after.saturating_sub(before) as f64 / count as f64;
                println!("| {} | {count} | {} MiB | {} MiB | {each:.1} |", peer.name, before / 1024, after / 1024);
            }
        }
        Ok(())
    }

    async fn large(&self, upstream: &Upstream, folder: &Path) -> Result<()> {
        println!("\n{} GiB through the proxy", LARGE_BYTES >> 30);
        if self.quick {
            println!("skipped: too long for a quick run");
            return Ok(());
        }
        println!("| proxy | of | resident before | highest while it passed | seconds | CPU seconds |");
        println!("|---|---|---|---|---|---|");
        for (of, response) in [("a file", ResponseKind::Large), ("2,048,000 addresses", ResponseKind::LargePage)] {
            let question = Arc::new(Question::new(response, upstream));
            for (number, peer) in self.quiet_peers().enumerate() {
                let proxy = peer.start(upstream, &folder.join(format!("large-{number}")))?;
                let (before, _) = proxy.memory()?;
                let cpu = proxy.cpu()?;
                let begun = Instant::now();
                let outcome = Load::connect(&proxy, 1).await?.run(&question, 1).await?;
                no_failures(peer, outcome.failed)?;
                let (seconds, cpu) = (begun.elapsed().as_secs_f64(), (proxy.cpu()? - cpu).as_secs_f64());
                let (_, highest) = proxy.memory()?;
                let (before, highest) = (before as f64 / 1024.0, highest as f64 / 1024.0);
                println!("| {} | {of} | {before:.1} MiB | {highest:.1} MiB | {seconds:.2} | {cpu:.2} |", peer.name);
            }
        }
        Ok(())
    }

    fn start(&self, upstream: &Upstream, folder: &Path) -> Result<()> {
        println!("\nStart of the process to the first 200, token and company look-up included");
        println!("| proxy | ms |");
        println!("|---|---|");
        let mut rows: Vec<(&Peer, Spread)> = self.quiet_peers().map(|peer| (peer, Spread::default())).collect();
        for round in 0..self.count(2 * self.rounds, 1) {
            for (number, (peer, milliseconds)) in rows.iter_mut().enumerate() {
                let proxy = peer.start(upstream, &folder.join(format!("start-{number}-{round}")))?;
                milliseconds.add(proxy.first_response_after.as_secs_f64() * 1000.0);
            }
        }
        for (peer, milliseconds) in rows {
            println!("| {} | {milliseconds:.1} |", peer.name);
        }
        Ok(())
    }

    /// Everybody comes at once while Entra still thinks about the first token.
    async fn cold(&self, upstream: &Upstream, folder: &Path) -> Result<()> {
        let count = self.count(1_000, 50);
        println!("\n{count} requests at once at a proxy that has no token yet");
        if !can_open(2 * count)? {
            println!("skipped: too few open files allowed (ulimit -n)");
            return Ok(());
        }
        println!("| proxy | token requests | answered with 200 | failed |");
        println!("|---|---|---|---|");
        upstream.delay_tokens(TOKEN_DELAY);
        let question = Arc::new(Question::new(ResponseKind::Small, upstream));
        for (number, peer) in self.quiet_peers().filter(|peer| matches!(peer.kind, Kind::Bcproxy { .. })).enumerate() {
            let tokens = upstream.token_requests();
            let proxy = peer.spawn(upstream, &folder.join(format!("cold-{number}")))?;
            let mut load = connect_once_open(&proxy, count).await?;
            let outcome = load.run(&question, count).await?;
            let tokens = upstream.token_requests() - tokens;
            println!("| {} | {tokens} | {} | {} |", peer.name, outcome.answered(), outcome.failed);
        }
        upstream.delay_tokens(Duration::ZERO);
        Ok(())
    }
}

impl Scene {
    /// One proxy's turn.
    async fn once(&self, upstream: &Upstream, proxy: &Running, requests: usize, row: &mut [Spread; 4]) -> Result<()> {
        let question = Arc::new(Question::new(self.response, upstream));
        let mut load = Load::connect(proxy, self.connections).await?;
        load.run(&question, 2 * self.connections).await?;
        let (cpu, begun) = (proxy.cpu()?, Instant::now());
        let outcome = load.run_at_rate(&question, requests, self.rate).await?;
        let (cpu, seconds) = (proxy.cpu()? - cpu, begun.elapsed().as_secs_f64());
        if outcome.failed > 0 {
            return Err(format!("{}: {} requests failed", self.title, outcome.failed).into());
        }
        let [per_request, p50, p99, rate] = row;
        per_request.add(cpu.as_secs_f64() * 1e6 / outcome.answered() as f64);
        p50.add(outcome.percentile(50));
        p99.add(outcome.percentile(99));
        rate.add(outcome.answered() as f64 / seconds);
        Ok(())
    }
}

/// A figure from several rounds; shown as median [least–most].
#[derive(Debug, Clone, Default)]
struct Spread(Vec<f64>);

impl Spread {
    fn add(&mut self, figure: f64) {
        self.0.push(figure);
        self.0.sort_by(f64::total_cmp);
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let precision = f.precision().unwrap_or(1);
        match self.0.as_slice() {
            [] => f.write_str("–"),
            [only] => write!(f, "{only:.precision$}"),
            [least, .., most] => {
                let median = f64::midpoint(self.0[(self.0.len() - 1) / 2], self.0[self.0.len() / 2]);
                write!(f, "{median:.precision$} [{least:.precision$}–{most:.precision$}]")
            }
        }
    }
}

async fn connect_once_open(proxy: &Running, count: usize) -> Result<Load> {
    let begun = Instant::now();
    loop {
        match Load::connect(proxy, 1).await {
            Ok(_) => return Load::connect(proxy, count).await,
            Err(error) if begun.elapsed() > Duration::from_secs(10) => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
}

fn no_failures(peer: &Peer, failed: usize) -> Result<()> {
    if failed == 0 { Ok(()) } else { Err(format!("{}: {failed} requests failed", peer.name).into()) }
}

/// Whether this process, and so its children, may hold that many connections.
fn can_open(connections: usize) -> Result<bool> {
    let limits = std::fs::read_to_string("/proc/self/limits")?;
    let limit = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = limit.and_then(|limit| limit.split_whitespace().next()).ok_or("no limit of open files in /proc")?;
    Ok(soft == "unlimited" || soft.parse::<usize>()? > connections + SPARE_FILES)
}

const IDLE_AT_ONCE: usize = 20;

/// From the last answer to the look at what idle connections take.
const SETTLING_TIME: Duration = Duration::from_secs(5);

const SPARE_FILES: usize = 200;

/// Long enough for everybody to be waiting.
const TOKEN_DELAY: Duration = Duration::from_millis(500);
