//! Whether the proxy has nothing left to do.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::Result;

/// The process that the peers wait for, shared by all of them.
///
/// Client and upstream send only while it sleeps. So it finds the same at each look, however busy the machine is.
#[derive(Clone, Default)]
pub struct Idle(Arc<AtomicU32>);

impl Idle {
    /// From now on, [`wait`](Self::wait) waits for this process.
    pub fn watch(&self, process: u32) {
        self.0.store(process, Ordering::Release);
    }

    /// From now on, [`wait`](Self::wait) waits for nothing.
    pub fn watch_none(&self) {
        self.watch(NONE);
    }

    /// Waits until every thread of the process sleeps.
    pub async fn wait(&self) -> Result<Naps> {
        self.wait_for(|_| true).await
    }

    /// Waits until the process has woken up since then and sleeps again.
    pub async fn wait_after(&self, before: Naps) -> Result<Naps> {
        self.wait_for(|now| now > before).await
    }

    async fn wait_for(&self, is_enough: impl Fn(Naps) -> bool) -> Result<Naps> {
        let begun = Instant::now();
        loop {
            let process = self.0.load(Ordering::Acquire);
            if process == NONE {
                return Ok(Naps::default());
            }
            // One look sees the threads at different times: meanwhile, one may wake another.
            let (first, second) = (asleep(process)?, asleep(process)?);
            if let Some(naps) = second.filter(|naps| first == second && is_enough(*naps)) {
                return Ok(naps);
            }
            if begun.elapsed() > LONGEST_WORK {
                return Err("bcproxy does not come to rest".into());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// How often the threads of the process have gone to sleep.
#[derive(Clone, Copy, Default, PartialEq, PartialOrd)]
pub struct Naps(u64);

/// `None` if a thread of the process does not sleep.
fn asleep(process: u32) -> Result<Option<Naps>> {
    let mut naps = Naps::default();
    for thread in fs::read_dir(format!("/proc/{process}/task")).map_err(|_| "bcproxy has ended")? {
        // A thread that has just ended does nothing either.
        let Ok(status) = fs::read_to_string(thread?.path().join("status")) else { continue };
        let value = |key| status.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
        if !value("State:").is_some_and(|state| state.starts_with('S')) {
            return Ok(None);
        }
        naps.0 += value("voluntary_ctxt_switches:").and_then(|count| count.parse::<u64>().ok()).unwrap_or_default();
    }
    Ok(Some(naps))
}

/// No process has this number.
const NONE: u32 = 0;

const LONGEST_WORK: Duration = Duration::from_secs(60);
