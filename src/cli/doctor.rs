//! `bcproxy doctor`: checks every set-up step against the live services.

use std::path::Path;
use std::time::Duration;

use anstream::{print, println};
use serde_json::{Value, json};

use super::common::{Failure, Output, Progress, load_without_secrets, runtime, select_connectors};
use crate::doctor::{self, Event, Finding, Findings, Wrong};
use crate::guide::Step;
use crate::sentence::ended;

/// Checks the set-up of one connector or of all.
pub fn doctor(file: &Path, connector: Option<&str>, output: Output) -> Result<(), Failure> {
    let progress = Progress::new("checking");
    let mut report = Report { output, progress: &progress, connectors: Vec::new() };
    // A missing secret or certificate is reported at its own step, not as a mistake in the file.
    let config = match load_without_secrets(file) {
        Ok(config) => config,
        Err(Failure::Configuration(mistakes) | Failure::Failed(mistakes)) => {
            let wrong = Wrong::new(Step::Configuration, mistakes.trim_end(), Step::Configuration.advice());
            report.section(&file.display().to_string(), |findings| findings.failed(wrong, Duration::ZERO));
            return report.finish();
        }
    };
    let connectors = select_connectors(&config, connector)?;
    let runtime = runtime()?;
    for connector in connectors {
        report.section(&connector.name, |findings| {
            findings.passed(Step::Configuration, format!("{} has no mistakes", file.display()), Duration::ZERO);
            runtime.block_on(progress.during(doctor::examine(connector, &config.routes, findings)));
        });
    }
    report.finish()
}

/// The output: text while the check runs, or JSON at the end.
struct Report<'p> {
    output: Output,
    progress: &'p Progress,
    connectors: Vec<(String, Vec<Finding>)>,
}

impl Report<'_> {
    /// Runs the checks of a connector or of the configuration file.
    fn section(&mut self, name: &str, check: impl FnOnce(&mut Findings<'_>)) {
        let is_text = self.output == Output::Text;
        if is_text {
            println!("{name}");
        }
        let mut findings = Findings::new(|event| match event {
            Event::Checking(step) => self.progress.next(format!("checking {}. {}", step.number(), step.title())),
            Event::Found(finding) => {
                self.progress.clear();
                if is_text {
                    print!("{}", line(finding, console::colors_enabled()));
                }
            }
        });
        check(&mut findings);
        let findings = findings.into_all();
        if is_text {
            let unchecked: Vec<&str> = doctor::not_checked(&findings).into_iter().map(Step::title).collect();
            if !unchecked.is_empty() && !are_fine(&findings) {
                println!("  – not checked: {}", unchecked.join(", "));
            }
            println!();
        }
        self.connectors.push((name.to_owned(), findings));
    }

    /// Prints the JSON, if wanted. A failure has no message, because the output has already named it.
    fn finish(self) -> Result<(), Failure> {
        let is_fine = self.connectors.iter().all(|(_, findings)| are_fine(findings));
        if self.output == Output::Json {
            let connectors: Vec<Value> =
                self.connectors.iter().map(|(name, findings)| as_json(name, findings)).collect();
            println!("{:#}", json!({ "fine": is_fine, "connectors": connectors }));
        }
        if is_fine { Ok(()) } else { Err(Failure::Failed(String::new())) }
    }
}

fn are_fine(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.result.is_ok())
}

fn line(finding: &Finding, in_color: bool) -> String {
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

const INDENT: &str = "         ";

fn as_json(name: &str, findings: &[Finding]) -> Value {
    let steps = findings.iter().map(|Finding { step, subject, result, took }| {
        let mut all = json!({
            "step": step.name(),
            "number": step.number(),
            "title": step.title(),
            "subject": subject,
            "passed": result.is_ok(),
            "ms": took.as_secs_f64() * 1000.0,
        });
        match result {
            Ok(found) => all["found"] = json!(found),
            Err(Wrong { what, fix, .. }) => {
                all["wrong"] = json!(what);
                all["fix"] = json!(fix);
            }
        }
        all
    });
    json!({
        "connector": name,
        "fine": are_fine(findings),
        "steps": steps.collect::<Vec<_>>(),
        "not_checked": doctor::not_checked(findings).into_iter().map(Step::name).collect::<Vec<_>>(),
    })
}
