//! The whole proxy under load, beside other proxies and beside bare hyper.
//!
//! It measures what a request costs, how that grows, and what memory and a start cost.
//!
//! ```text
//! cargo bench --bench load                            everything; about 75 minutes
//! cargo bench --bench load -- --quick                 does it run at all? Seconds; so does `cargo test --benches`
//! cargo bench --bench load -- --rounds 5 small        fewer rounds; only parts whose name is given: small, limits,
//!                                                     post, pages, growth, idle, large, start, cold, hostile, admin,
//!                                                     slow; or tables whose title holds the word, such as bombs
//! cargo bench --bench load -- --beside OTHER_BCPROXY  another bcproxy binary in the same rounds: before and after
//! cargo bench --bench load -- --svg FILE              also a picture of the ratios
//! ```
//!
//! The proxies alternate within each round, since a busy machine changes from minute to minute. Only the proxy's CPU
//! time counts; the client and the upstream run in this process. Linux only: the figures come from `/proc`.

mod admin;
mod bombs;
mod canned_body;
mod client;
mod cost;
mod figures;
#[path = "../floor/mod.rs"]
mod floor;
mod growth;
mod guesses;
mod hostile;
mod memory;
mod pages;
mod peers;
mod picture;
mod plan;
mod scenes;
mod slow;
mod starts;
mod upstream;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use peers::floor::AS_FLOOR;
use plan::Plan;
use tempfile::TempDir;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// bcproxy's, for the floor.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    let result = match arguments.next_if(|first| first == AS_FLOOR) {
        Some(_) => floor::run(arguments),
        None => measure(arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: impl Iterator<Item = String>) -> Result<()> {
    if !Path::new("/proc/self/stat").exists() {
        println!("load: skipped, the figures come from Linux' /proc");
        return Ok(());
    }
    let folder = TempDir::with_prefix("bcproxy-load-")?;
    let plan = Plan::from_arguments(arguments, folder.path())?;
    let cores = std::thread::available_parallelism()?.get();
    // One core is the proxy's; who waits beside slow clients waits for all that the proxy has.
    let result = on_threads(cores.saturating_sub(1).max(1), plan.carry_out(folder.path()))
        .and_then(|()| on_threads(cores, plan.slow(folder.path(), cores)));
    if result.is_err() {
        println!("what the proxies wrote is kept in {}", folder.keep().display());
    }
    result
}

fn on_threads(count: usize, work: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(count).enable_all().build()?.block_on(work)
}

/// Whether this process, and so its children, may hold that many connections.
fn can_open(connections: usize) -> Result<bool> {
    let limits = std::fs::read_to_string("/proc/self/limits")?;
    let limit = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = limit.and_then(|limit| limit.split_whitespace().next()).ok_or("no limit of open files in /proc")?;
    Ok(soft == "unlimited" || soft.parse::<usize>()? > connections + SPARE_FILES)
}

const SPARE_FILES: usize = 200;
