//! Findings as lines of text.

use std::time::Duration;

use super::findings::{Finding, Wrong, not_checked};
use crate::guide::Step;
use crate::sentence::ended;

/// Whether no mistake was found.
pub fn are_fine(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.result.is_ok())
}

/// A finding as a line, or several if something is wrong.
pub fn line(finding: &Finding, in_color: bool) -> String {
    let Finding { step, subject, result, took } = finding;
    let heading = format!("{:>2}. {:<30} ", step.number(), step.title());
    let heading = subject.as_ref().map_or_else(|| heading.clone(), |subject| format!("{heading}{subject}: "));
    let guide = format!("bcproxy guide {}", step.number());
    let result = match result {
        Ok(found) => Ok(found.as_str()),
        Err(Wrong { what, fix, .. }) => Err((what.as_str(), &[fix.as_str(), &guide][..])),
    };
    result_line(&heading, result, *took, in_color)
}

/// The result of a check behind its heading; an error with each of its fixes in a line below.
pub(super) fn result_line(
    heading: &str,
    result: Result<&str, (&str, &[&str])>,
    took: Duration,
    in_color: bool,
) -> String {
    let (green, red, plain) = if in_color { ("\u{1b}[32m", "\u{1b}[31m", "\u{1b}[0m") } else { ("", "", "") };
    let time = if took.is_zero() { String::new() } else { format!("  ({} ms)", took.as_millis()) };
    match result {
        Ok(found) => format!("  {green}✓{plain} {heading}{found}{time}\n"),
        Err((what, fixes)) => {
            let what = ended(&what.replace('\n', &format!("\n{INDENT}")));
            let fixes: String = fixes.iter().map(|fix| format!("{INDENT}→ {fix}\n")).collect();
            format!("  {red}✗{plain} {heading}{what}{time}\n{fixes}")
        }
    }
}

/// The beginning of lines below a finding.
const INDENT: &str = "         ";

/// The line that lists the steps which were not checked because of a mistake; empty without one.
pub fn unchecked_line(findings: &[Finding]) -> String {
    let unchecked: Vec<&str> = not_checked(findings).into_iter().map(Step::title).collect();
    if are_fine(findings) { String::new() } else { titles_line(&unchecked) }
}

/// The line that lists checks which were not made; empty without one.
pub(super) fn titles_line(unchecked: &[&str]) -> String {
    if unchecked.is_empty() { String::new() } else { format!("  – not checked: {}\n", unchecked.join(", ")) }
}
