//! A line on the terminal that says what a command is waiting for.

use std::cell::RefCell;
use std::pin::pin;

use console::Term;
use tokio::time::{Duration, Instant, interval};

/// The line. Standard error shows it if that is a terminal and the wait takes more than a second. It is removed before
/// anything else is printed.
pub struct Progress {
    terminal: Option<Term>,
    wait: RefCell<Wait>,
}

struct Wait {
    what: String,
    since: Instant,
    is_shown: bool,
}

impl Progress {
    /// A line about `what`: a verb in its -ing form and its object.
    pub fn new(what: impl Into<String>) -> Self {
        let wait = Wait { what: what.into(), since: Instant::now(), is_shown: false };
        Self { terminal: Some(Term::stderr()).filter(Term::is_term), wait: RefCell::new(wait) }
    }

    /// Replaces the text, because another wait begins.
    pub fn next(&self, what: impl Into<String>) {
        self.clear();
        let mut wait = self.wait.borrow_mut();
        (wait.what, wait.since) = (what.into(), Instant::now());
    }

    /// Removes the line, before something else is printed.
    pub fn clear(&self) {
        let mut wait = self.wait.borrow_mut();
        if let Some(terminal) = self.terminal.as_ref().filter(|_| wait.is_shown) {
            // A terminal that is gone needs no line.
            let _ = terminal.clear_line();
            wait.is_shown = false;
        }
    }

    /// Does the work and shows the line meanwhile.
    pub async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut ticks = interval(TICK);
        loop {
            tokio::select! {
                biased;
                done = &mut work => {
                    self.clear();
                    return done;
                }
                _ = ticks.tick() => self.show(),
            }
        }
    }

    fn show(&self) {
        let seconds = self.wait.borrow().since.elapsed().as_secs();
        let Some(terminal) = self.terminal.as_ref().filter(|_| seconds > 0) else { return };
        self.clear();
        let mut wait = self.wait.borrow_mut();
        let text = format!("  … {} ({seconds} s)", wait.what);
        // A longer line would wrap, and could not be removed.
        let (_, columns) = terminal.size();
        let text = console::truncate_str(&text, usize::from(columns).saturating_sub(1), "…");
        wait.is_shown = terminal.write_str(&text).is_ok();
    }
}

/// How often the line is drawn.
const TICK: Duration = Duration::from_secs(1);
