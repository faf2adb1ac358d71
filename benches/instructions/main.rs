//! The instruction budget: what a request costs the program of the packages, built without their profile, in user
//! instructions and in allocations.
//!
//! ```text
//! cargo bench --bench instructions                        builds the binary, measures it, compares it with budget.yaml
//! cargo bench --bench instructions -- --record            writes budget.yaml
//! cargo bench --bench instructions -- --binary BCPROXY    measures this binary, builds nothing
//! cargo bench --bench instructions -- --parent BCPROXY    compares with that binary, not with budget.yaml
//! cargo bench --bench instructions -- --exercise          sends the requests and compares nothing: to record a profile
//! cargo bench --bench instructions -- --only TEXT         measures the rows with this in their name
//! cargo bench --bench instructions -- --keep FOLDER       leaves Callgrind's dumps there, for callgrind_annotate
//! cargo bench --bench instructions -- --comparable        only says whether budget.yaml is of a machine like this one
//! cargo test --bench instructions                         does it run at all? Few requests to a debug build
//! ```
//!
//! This process is client, Entra and Business Central. The proxy is a child under Callgrind, with one worker thread.
//! Its peers send only while it sleeps (`idle`), so it finds the same at each look. Linux with valgrind only.

mod budget;
mod client;
mod counts;
mod idle;
mod machine;
mod pieces;
mod proxy;
mod responses;
mod rows;
mod upstream;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use budget::{Budget, Comparison};
use client::Client;
use counts::Cost;
use machine::Machine;
use proxy::Proxy;
use rows::Row;
use tempfile::TempDir;
use upstream::Upstream;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// What the command line asks for.
#[derive(Default)]
struct Options {
    /// Few requests, no comparison.
    quick: bool,
    record: bool,
    /// Only the requests matter, not the figures.
    exercise: bool,
    /// Only whether the budget applies to this machine.
    comparable: bool,
    /// Instead of the program of the packages, which is built otherwise.
    binary: Option<PathBuf>,
    /// What to compare with instead of the budget.
    parent: Option<PathBuf>,
    /// What the names of the measured rows contain.
    only: String,
    /// Where the dumps stay.
    keep: Option<PathBuf>,
}

fn main() -> ExitCode {
    let outcome = Options::from_arguments(std::env::args().skip(1)).and_then(|options| options.carry_out());
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("instructions: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Options {
    fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        // `cargo test --benches` gives no arguments, `cargo bench` one.
        let mut options = Self { quick: true, ..Self::default() };
        while let Some(argument) = arguments.next() {
            options.quick = false;
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--bench" => {}
                "--record" => options.record = true,
                "--exercise" => options.exercise = true,
                "--comparable" => options.comparable = true,
                "--binary" => options.binary = Some(value()?.into()),
                "--parent" => options.parent = Some(value()?.into()),
                "--only" => options.only = value()?,
                "--keep" => options.keep = Some(value()?.into()),
                _ => return Err(format!("unknown argument {argument}; benches/instructions/main.rs lists them").into()),
            }
        }
        if options.record && !options.only.is_empty() {
            return Err("--record writes all rows; leave --only out".into());
        }
        if !rows::all().iter().any(|row| row.name.contains(&options.only)) {
            return Err(format!("no row has `{}` in its name; {} lists them", options.only, budget::FILE).into());
        }
        Ok(options)
    }

    /// `false` if a row grew, or if the budget is of another machine.
    fn carry_out(self) -> Result<bool> {
        let valgrind = match machine::valgrind_version() {
            Ok(version) => version,
            Err(error) if self.quick => {
                println!("instructions: skipped, {error}");
                return Ok(true);
            }
            Err(error) => return Err(error),
        };
        let binary = match &self.binary {
            Some(binary) => binary.clone(),
            None if self.quick => env!("CARGO_BIN_EXE_bcproxy").into(),
            None => build_as_packages_do()?,
        };
        let machine = Machine::of(&binary, valgrind)?;
        if self.quick {
            println!("a quick run: it shows that everything works, its figures say nothing");
            for (row, cost) in self.measure(&binary)? {
                println!("{row}: {cost}");
            }
            return Ok(true);
        }
        if self.record {
            Budget::write(&machine, &self.measure(&binary)?)?;
            println!("written to {}", budget::FILE);
            return Ok(true);
        }
        if self.exercise {
            self.measure(&binary)?;
            return Ok(true);
        }
        if let Some(parent) = &self.parent {
            let before = self.measure(parent)?.into_iter().collect();
            return Ok(Comparison::new(&before, self.measure(&binary)?).print("parent"));
        }
        let budget = Budget::read()?;
        let differences = budget.machine.differences(&machine);
        if !differences.is_empty() {
            println!("{} is of another machine: {}.", budget::FILE, differences.join("; "));
            println!("Build the parent commit and compare with its binary: --parent PATH");
            return Ok(false);
        }
        Ok(self.comparable || Comparison::new(&budget.rows, self.measure(&binary)?).print("budget"))
    }

    /// The cost of each row, in the order of the rows.
    fn measure(&self, binary: &Path) -> Result<Vec<(String, Cost)>> {
        let mut folder = match &self.keep {
            Some(keep) => {
                std::fs::create_dir_all(keep)?;
                TempDir::with_prefix_in("dumps-", keep)?
            }
            None => TempDir::with_prefix("bcproxy-instructions-")?,
        };
        folder.disable_cleanup(self.keep.is_some());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(PEER_THREADS).enable_all().build()?;
        let outcome = runtime.block_on(async {
            let upstream = Upstream::start().await?;
            let mut costs = Vec::new();
            for row in rows::all().into_iter().filter(|row| row.name.contains(&self.only)) {
                costs.push((row.name.to_owned(), cost_of(&row, binary, &upstream, folder.path(), self.quick).await?));
            }
            Ok(costs)
        });
        if outcome.is_err() {
            eprintln!("what the proxies wrote is kept in {}", folder.keep().display());
        }
        outcome
    }
}

/// Builds the program of the packages, and returns the one that has the names of its functions.
fn build_as_packages_do() -> Result<PathBuf> {
    let built = Command::new("packaging/binary").args(["--plain", TARGET]).stderr(Stdio::inherit()).output()?;
    if !built.status.success() {
        return Err("the program can't be built".into());
    }
    let stripped = PathBuf::from(String::from_utf8(built.stdout)?.trim());
    let (file, folder) = (stripped.file_name(), stripped.ancestors().nth(2));
    let (file, folder) = file.zip(folder).ok_or("packaging/binary printed no path")?;
    Ok(folder.join(file))
}

/// The packages' program is static, so the C library of this machine plays no part.
const TARGET: &str = "x86_64-unknown-linux-musl";

/// The lowest of several rounds: what a busy machine adds, such as timers that expire meanwhile, is not the row's.
///
/// They are spread over processes, in which no other row has run. Each has another state of its heap, and in some of
/// these the allocator does more for a block.
async fn cost_of(row: &Row, binary: &Path, upstream: &Upstream, folder: &Path, quick: bool) -> Result<Cost> {
    let (processes, rounds, requests) = if quick { (1, 1, 1) } else { (PROCESSES, ROUNDS, row.requests) };
    let mut costs = Vec::new();
    for _ in 0..processes {
        let mut proxy = Proxy::start(binary, row.setup, upstream, folder).await?;
        let mut client = Client::connect(row, &proxy).await?;
        client.send(row, requests).await?;
        proxy.zero().await?;
        for _ in 0..rounds {
            client.send(row, requests).await?;
            costs.push(proxy.counts().await?.per_request(requests));
        }
        drop(client);
        proxy.stop().await?;
    }
    costs.into_iter().reduce(Cost::min).ok_or("nothing was measured".into())
}

/// For client and upstream: a response is under way while the next request is written.
const PEER_THREADS: usize = 2;

const PROCESSES: usize = 2;

/// In each process.
const ROUNDS: usize = 3;
