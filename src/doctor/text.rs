//! Findings as lines of text.

use super::findings::{Finding, Wrong, not_checked};
use crate::guide::Step;
use crate::sentence::ended;

/// Whether no mistake was found.
pub fn are_fine(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.result.is_ok())
}

/// A finding as a line, or several if something is wrong.
pub fn line(finding: &Finding, in_color: bool) -> String {
    let (green, red, plain) = if in_color { ("\u{1b}[32m", "\u{1b}[31m", "\u{1b}[0m") } else { ("", "", "") };
    let Finding { step, subject, result, took } = finding;
    let head = |sign: &str| format!("  {sign} {:>2}. {:<30}", step.number(), step.title());
    let of = subject.as_ref().map_or_else(String::new, |subject| format!("{subject}: "));
    let time = if took.is_zero() { String::new() } else { format!("  ({} ms)", took.as_millis()) };
    match result {
        Ok(found) => format!("{} {of}{found}{time}\n", head(&format!("{green}✓{plain}"))),
        Err(Wrong { what, fix, .. }) => {
            let what = what.replace('\n', &format!("\n{INDENT}"));
            format!(
                "{} {of}{}{time}\n{INDENT}→ {fix}\n{INDENT}→ bcproxy guide {}\n",
                head(&format!("{red}✗{plain}")),
                ended(&what),
                step.number()
            )
        }
    }
}

/// The beginning of lines below a finding.
pub(super) const INDENT: &str = "         ";

/// The line that lists the steps which were not checked because of a mistake; empty without one.
pub fn unchecked_line(findings: &[Finding]) -> String {
    let unchecked: Vec<&str> = not_checked(findings).into_iter().map(Step::title).collect();
    if unchecked.is_empty() || are_fine(findings) {
        return String::new();
    }
    format!("  – not checked: {}\n", unchecked.join(", "))
}
