//! What the checks find, and what is wrong.

use std::fmt;
use std::time::Duration;

use crate::guide::{KnownError, Step};
use crate::sentence::{ended, sentence};

/// The result of one check.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The step of the set-up that was checked, or the one that fixes what is wrong.
    pub step: Step,
    /// What was checked, where a step has several: an application, an environment, a route.
    pub subject: Option<String>,
    /// What was found, as a clause without a full stop.
    pub result: Result<String, Wrong>,
    /// The duration of the check.
    pub took: Duration,
}

/// What is wrong with the set-up, and how to fix it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The step of the set-up to go back to.
    pub step: Step,
    /// What is wrong: a sentence, mostly without its full stop.
    pub what: String,
    /// What to do: complete sentences.
    pub fix: String,
}

/// The findings so far. Each is reported as soon as it is added.
pub struct Findings<'t> {
    all: Vec<Finding>,
    /// The subject that the findings have in common at present.
    pub(super) common_subject: Option<String>,
    report: Box<dyn FnMut(Event<'_>) + 't>,
}

/// What happens while the set-up is checked.
#[derive(Debug)]
pub enum Event<'f> {
    /// The check of a step begins, which may take seconds.
    Checking(Step),
    /// A check has ended.
    Found(&'f Finding),
}

impl Wrong {
    /// A mistake at a step. `fix` may lack its capital letter and full stop.
    pub fn new(step: Step, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { step, what: what.into(), fix: sentence(&fix.into()) }
    }

    /// A mistake of which only the step is known.
    pub(super) fn at(step: Step, what: impl Into<String>) -> Self {
        Self::new(step, what, step.advice())
    }

    /// A known error of a service. `summary` is what it responded; `default_step` counts where the error names no step.
    pub(super) fn known(summary: &str, error: &KnownError, default_step: Step) -> Self {
        Self::new(error.step.unwrap_or(default_step), format!("{} {}", ended(summary), error.meaning), error.fix)
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} See {}.", ended(&self.what), self.fix, self.step)
    }
}

impl<'t> Findings<'t> {
    /// No findings yet; `report` is called with each one, and before checks that may take seconds.
    pub fn new(report: impl FnMut(Event<'_>) + 't) -> Self {
        Self { all: Vec::new(), common_subject: None, report: Box::new(report) }
    }

    /// The first mistake found.
    pub fn wrong(&self) -> Option<&Wrong> {
        self.all.iter().find_map(|finding| finding.result.as_ref().err())
    }

    /// All findings, in the order of the checks.
    pub fn into_all(self) -> Vec<Finding> {
        self.all
    }

    /// Reports that the check of a step begins.
    pub(super) fn checking(&mut self, step: Step) {
        (self.report)(Event::Checking(step));
    }

    pub(super) fn add(&mut self, step: Step, subject: Option<&str>, result: Result<String, Wrong>, took: Duration) {
        // A mistake may show at a later step than the one that fixes it.
        let step = result.as_ref().map_or_else(|wrong| wrong.step, |_| step);
        let subject = match (&self.common_subject, subject) {
            (Some(common), Some(subject)) => Some(format!("{common}, {subject}")),
            (common, subject) => common.clone().or_else(|| subject.map(ToOwned::to_owned)),
        };
        let finding = Finding { step, subject, result, took };
        (self.report)(Event::Found(&finding));
        self.all.push(finding);
    }

    /// Adds what was found.
    pub fn passed(&mut self, step: Step, found: impl Into<String>, took: Duration) {
        self.add(step, None, Ok(found.into()), took);
    }

    /// Adds what is wrong.
    pub fn failed(&mut self, wrong: Wrong, took: Duration) {
        self.add(wrong.step, None, Err(wrong), took);
    }
}

/// The steps that were not checked because an earlier one failed.
pub fn not_checked(findings: &[Finding]) -> Vec<Step> {
    let is_missing = |step: &Step| !findings.iter().any(|finding| finding.step == *step);
    Step::ALL.into_iter().filter(is_missing).collect()
}
