//! `bcproxy doctor`: checks every set-up step against the live services.

use std::path::Path;
use std::time::Duration;

use anstream::{print, println};
use serde_json::{Value, json};

use super::common::{Failure, Output, Progress, load_without_secrets, runtime, select_connectors};
use crate::doctor::{self, Event, Finding, Findings, Wrong};
use crate::guide::Step;

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
                    print!("{}", doctor::line(finding, console::colors_enabled()));
                }
            }
        });
        check(&mut findings);
        let findings = findings.into_all();
        if is_text {
            print!("{}", doctor::unchecked_line(&findings));
            println!();
        }
        self.connectors.push((name.to_owned(), findings));
    }

    /// Prints the JSON, if wanted. A failure has no message, because the output has already named it.
    fn finish(self) -> Result<(), Failure> {
        let is_fine = self.connectors.iter().all(|(_, findings)| doctor::are_fine(findings));
        if self.output == Output::Json {
            let connectors: Vec<Value> =
                self.connectors.iter().map(|(name, findings)| as_json(name, findings)).collect();
            println!("{:#}", json!({ "fine": is_fine, "connectors": connectors }));
        }
        if is_fine { Ok(()) } else { Err(Failure::Failed(String::new())) }
    }
}

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
        "fine": doctor::are_fine(findings),
        "steps": steps.collect::<Vec<_>>(),
        "not_checked": doctor::not_checked(findings).into_iter().map(Step::name).collect::<Vec<_>>(),
    })
}
