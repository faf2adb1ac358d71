//! The top of the page: the state, why, and what to do.

use maud::{Markup, html};

use super::findings::{Cause, Finding, effect, findings, load};
use super::parts::{Mood, counted, moment, note_about, number, prose};
use crate::admin::report::{ConnectorReport, Readiness, Report, State, Warning, WarningKind};

/// The state in one line.
pub struct Headline {
    pub mood: Mood,
    pub text: String,
}

impl Headline {
    pub fn of(report: &Report) -> Self {
        let ready = report.connectors.iter().filter(|one| one.is_ready()).count();
        let connectors = match (&report.connectors[..], ready) {
            ([one], 1) => format!("{} is ready", one.name),
            ([one], _) => format!("{} is not ready", one.name),
            (all, ready) if ready == all.len() => format!("All {} connectors are ready", number(ready as u64)),
            (_, 0) => "No connector is ready".to_owned(),
            (all, ready) => format!("{} of {} connectors are ready", number(ready as u64), number(all.len() as u64)),
        };
        let (mood, text) = match report.state {
            State::Ready => match effect(&report.history) {
                Some(effect) => (Mood::Poor, format!("{connectors}, but {effect}")),
                None => (Mood::Good, connectors),
            },
            State::Degraded if ready < report.connectors.len() => {
                (Mood::Poor, connectors + ", something needs attention")
            }
            State::Degraded => (Mood::Poor, connectors + ", but something needs attention"),
            State::NotReady if ready > 0 => (Mood::Bad, "Stalled".to_owned()),
            State::NotReady => (Mood::Bad, connectors),
            State::Stopping => (Mood::Bad, "Stopping".to_owned()),
        };
        Self { mood, text }
    }

    /// The section with the reasons: what is found, then the warnings, then the connectors that are not ready.
    pub fn section(&self, report: &Report) -> Markup {
        let findings = findings(report);
        let is_limited = findings.iter().any(|finding| finding.cause == Cause::Limit);
        html! {
            section #state.state.(self.mood.class()) aria-labelledby="headline" {
                h1 #headline aria-live="polite" { span.sign aria-hidden="true" { (self.mood.sign()) } (self.text) }
                @if let Some(load) = load(&report.history) { p.load data-key="load" { (load) } }
                @if !findings.is_empty() {
                    ul.findings aria-label="Why requests are slow or fail" data-key="findings" {
                        @for found in &findings { (finding(found)) }
                    }
                }
                div.notes data-key="notes" {
                    @for warning in &report.warnings { (warning_note(None, warning)) }
                    (of_connectors(&report.connectors, is_limited))
                }
            }
        }
    }
}

fn finding(finding: &Finding) -> Markup {
    html! {
        li {
            strong { (prose(&finding.text)) } " "
            span {
                (prose(&finding.advice))
                @if let Some(until) = &finding.until { " Until " (moment(until)) "." }
                @if let Some(see) = finding.see { " " a href={ "#" (see.section) } { (see.question) } }
            }
        }
    }
}

/// A warning, with the name of its connector. The texts of files can have several lines.
fn warning_note(connector: Option<&str>, warning: &Warning) -> Markup {
    let mood = if warning.kind == WarningKind::Stalled { Mood::Bad } else { Mood::Poor };
    let (first, rest) = warning.reason.split_once('\n').unwrap_or((&warning.reason, ""));
    html! {
        div {
            (note_about(connector, mood, first, warning.until.as_deref()))
            @if !rest.is_empty() { pre { (rest) } }
        }
    }
}

/// The first few of what connectors need. `without_limits`: findings have told of the limits.
fn of_connectors(connectors: &[ConnectorReport], without_limits: bool) -> Markup {
    let is_told = |warning: &&Warning| !(without_limits && warning.kind == WarningKind::RateLimit);
    let broken = connectors.iter().filter_map(|connector| match &connector.readiness {
        Readiness::NotReady { reason } => Some((connector, reason)),
        Readiness::Ready { .. } | Readiness::Waiting => None,
    });
    let warnings =
        || connectors.iter().flat_map(|one| one.warnings.iter().filter(is_told).map(move |warning| (one, warning)));
    let left_off = (broken.clone().count() + warnings().count()).saturating_sub(MAX_NOTES);
    let rest = MAX_NOTES.saturating_sub(broken.clone().count());
    html! {
        @for (connector, reason) in broken.take(MAX_NOTES) {
            div { (note_about(Some(&connector.name), Mood::Bad, reason, None)) }
        }
        @for (connector, warning) in warnings().take(rest) { (warning_note(Some(&connector.name), warning)) }
        @if left_off > 0 {
            p { a href="/?state=attention#connectors" { (counted(left_off as u64, "more note")) " of connectors" } }
        }
    }
}

/// More of them are read where the connectors are.
const MAX_NOTES: usize = 4;
