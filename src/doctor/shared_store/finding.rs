//! What a check of the shared store finds, and its text.

use std::time::Duration;

use crate::doctor::text::{result_line, titles_line};
use crate::sentence::sentence;

/// A check of the shared store, in the order of the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StoreCheck {
    /// Name look-up and TCP.
    Connection,
    /// The certificate of the server.
    Tls,
    /// User and password.
    SignIn,
    /// The version and kind of server.
    Version,
    /// Whether the server may drop keys when its memory is full.
    MemoryPolicy,
    /// Whether scripts run, and may use their commands and keys.
    Scripts,
    /// Whether replicas can wake each other.
    Messages,
    /// Whether calls take less than `timeout`.
    ResponseTime,
}

/// The result of one check.
#[derive(Debug, Clone)]
pub struct StoreFinding {
    /// What was checked.
    pub check: StoreCheck,
    /// What was found, as a clause without a full stop.
    pub result: Result<String, StoreProblem>,
    /// The duration of the check.
    pub took: Duration,
}

/// What is wrong with the shared store, and how to fix it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreProblem {
    /// What is wrong: a clause.
    pub what: String,
    /// What to do: complete sentences.
    pub fix: String,
}

impl StoreCheck {
    /// All checks, in their order.
    pub const ALL: [Self; 8] = [
        Self::Connection,
        Self::Tls,
        Self::SignIn,
        Self::Version,
        Self::MemoryPolicy,
        Self::Scripts,
        Self::Messages,
        Self::ResponseTime,
    ];

    /// The title in text.
    pub fn title(self) -> &'static str {
        self.name_and_title().1
    }

    /// The name in JSON: lower case, with hyphens.
    pub fn name(self) -> &'static str {
        self.name_and_title().0
    }

    fn name_and_title(self) -> (&'static str, &'static str) {
        match self {
            Self::Connection => ("connection", "Connection"),
            Self::Tls => ("tls", "TLS"),
            Self::SignIn => ("sign-in", "Sign-in"),
            Self::Version => ("version", "Version"),
            Self::MemoryPolicy => ("memory-policy", "Memory policy"),
            Self::Scripts => ("scripts", "Scripts and keys"),
            Self::Messages => ("messages", "Messages"),
            Self::ResponseTime => ("response-time", "Response time"),
        }
    }
}

impl StoreProblem {
    /// A problem. `fix` may lack its capital letter and full stop.
    pub fn new(what: impl Into<String>, fix: impl AsRef<str>) -> Self {
        Self { what: what.into(), fix: sentence(fix.as_ref()) }
    }
}

/// Whether no problem was found.
pub fn store_is_fine(findings: &[StoreFinding]) -> bool {
    findings.iter().all(|finding| finding.result.is_ok())
}

/// A finding as a line, or several if something is wrong.
pub fn store_line(finding: &StoreFinding, in_color: bool) -> String {
    let StoreFinding { check, result, took } = finding;
    let result = match result {
        Ok(found) => Ok(found.as_str()),
        Err(StoreProblem { what, fix }) => Err((what.as_str(), &[fix.as_str()][..])),
    };
    result_line(&format!("{:<34}", check.title()), result, *took, in_color)
}

/// The line that lists the checks which were not made because of a problem; empty without one.
pub fn unchecked_store_line(findings: &[StoreFinding]) -> String {
    let is_missing = |check: &StoreCheck| !findings.iter().any(|finding| finding.check == *check);
    let missing: Vec<&str> = StoreCheck::ALL.into_iter().filter(is_missing).map(StoreCheck::title).collect();
    titles_line(&missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_its_fix_in_a_line_below() {
        let took = Duration::from_millis(3);
        let passed = StoreFinding { check: StoreCheck::SignIn, result: Ok("signed in".to_owned()), took };
        assert_eq!(store_line(&passed, false), format!("  ✓ {:<34}signed in  (3 ms)\n", "Sign-in"));
        let problem = StoreProblem::new("it is too old", "install version 7");
        let failed = StoreFinding { check: StoreCheck::Version, result: Err(problem), took: Duration::ZERO };
        let text = store_line(&failed, false);
        assert_eq!(text, format!("  ✗ {:<34}it is too old.\n         → Install version 7.\n", "Version"));
        let all = [passed, failed];
        assert!(!store_is_fine(&all) && store_is_fine(&all[..1]));
        let unchecked = "  – not checked: Connection, TLS, Memory policy, Scripts and keys, Messages, Response time\n";
        assert_eq!(unchecked_store_line(&all), unchecked);
    }
}
