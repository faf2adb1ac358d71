//! One known error: what it means, and what to do.

use std::fmt;

use super::Step;

/// What an error means to the person who sets up bcproxy or a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownError {
    /// The step of the set-up that fixes it; `None` when the set-up is not the cause.
    pub step: Option<Step>,
    /// What is wrong: a sentence without its full stop.
    pub meaning: &'static str,
    /// What to do, and where: complete sentences.
    pub fix: &'static str,
    /// Whether a retry helps.
    pub retry: Retry,
}

/// Whether a retry helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Only after somebody has changed something; earlier retries only load the service.
    AfterFix,
    /// Only after a fix, which Microsoft may need some minutes to apply everywhere.
    AfterPropagation,
    /// The error is temporary, and bcproxy retries.
    Automatic,
    /// The error is temporary, and the client may send the request again.
    ByClient,
}

impl KnownError {
    /// An error that a step of the set-up fixes.
    pub(super) const fn at(step: Step, retry: Retry, meaning: &'static str, fix: &'static str) -> Self {
        Self { step: Some(step), meaning, fix, retry }
    }

    /// A temporary error that has nothing to do with the set-up.
    pub(super) const fn temporary(meaning: &'static str, fix: &'static str) -> Self {
        Self { step: None, meaning, fix, retry: Retry::Automatic }
    }

    /// Whether somebody has to change something.
    pub fn needs_setup(&self) -> bool {
        matches!(self.retry, Retry::AfterFix | Retry::AfterPropagation)
    }
}

impl fmt::Display for KnownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. {}", self.meaning, self.fix)?;
        match self.step {
            Some(step) => write!(f, " See {step}."),
            None => Ok(()),
        }
    }
}
