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
    pub async fn wait(&self) -> Result<()> {
        let begun = Instant::now();
        loop {
            let process = self.0.load(Ordering::Acquire);
            if process == NONE || sleeps(process)? {
                return Ok(());
            }
            if begun.elapsed() > LONGEST_WORK {
                return Err("bcproxy does not come to rest".into());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

fn sleeps(process: u32) -> Result<bool> {
    for thread in fs::read_dir(format!("/proc/{process}/task")).map_err(|_| "bcproxy has ended")? {
        // A thread that has just ended does nothing either.
        let Ok(stat) = fs::read_to_string(thread?.path().join("stat")) else { continue };
        // The name before the last parenthesis may hold anything.
        if !stat.rsplit(')').next().unwrap_or_default().starts_with(" S") {
            return Ok(false);
        }
    }
    Ok(true)
}

/// No process has this number.
const NONE: u32 = 0;

const LONGEST_WORK: Duration = Duration::from_secs(60);
