//! `bcproxy doctor`: checks every set-up step against the live services.

use std::path::Path;
use std::time::Duration;

use anstream::{print, println};
use serde_json::{Value, json};

use super::common::{Failure, Output, Progress, load_without_secrets, runtime, select_connectors};
use crate::config::SharedLimits;
use crate::doctor::{self, Event, Finding, Findings, StoreFinding, StoreProblem, Wrong};
use crate::guide::Step;

/// Checks the set-up of one connector or of all.
pub fn doctor(file: &Path, connector: Option<&str>, output: Output) -> Result<(), Failure> {
    let progress = Progress::new("checking");
    let mut report = Report { output, progress: &progress, connectors: Vec::new(), store: None };
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
    let store = config.shared_limits.as_ref().filter(|_| connector.is_none());
    let runtime = runtime()?;
    for connector in connectors {
        report.section(&connector.name, |findings| {
            findings.passed(Step::Configuration, format!("{} has no mistakes", file.display()), Duration::ZERO);
            runtime.block_on(progress.during(doctor::examine(connector, &config.routes, findings)));
        });
    }
    if let Some(settings) = store {
        runtime.block_on(report.shared_store(settings));
    }
    report.finish()
}

/// The output: text while the check runs, or JSON at the end.
struct Report<'p> {
    output: Output,
    progress: &'p Progress,
    connectors: Vec<(String, Vec<Finding>)>,
    /// Its address, and what was found.
    store: Option<(String, Vec<StoreFinding>)>,
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

    /// Runs the checks of the shared store.
    async fn shared_store(&mut self, settings: &SharedLimits) {
        let (is_text, progress) = (self.output == Output::Text, self.progress);
        let address = settings.url.to_string();
        if is_text {
            println!("shared store {address}");
        }
        let findings = doctor::examine_store(settings, |finding| {
            progress.clear();
            if is_text {
                print!("{}", doctor::store_line(finding, console::colors_enabled()));
            }
        });
        progress.next("checking the shared store".to_owned());
        let findings = progress.during(findings).await;
        if is_text {
            print!("{}", doctor::unchecked_store_line(&findings));
            println!();
        }
        self.store = Some((address, findings));
    }

    /// Prints the JSON, if wanted. A failure has no message, because the output has already named it.
    fn finish(self) -> Result<(), Failure> {
        let is_fine = self.connectors.iter().all(|(_, findings)| doctor::are_fine(findings))
            && self.store.iter().all(|(_, findings)| doctor::store_is_fine(findings));
        if self.output == Output::Json {
            let connectors: Vec<Value> =
                self.connectors.iter().map(|(name, findings)| as_json(name, findings)).collect();
            let mut all = json!({ "fine": is_fine, "connectors": connectors });
            if let Some((address, findings)) = &self.store {
                all["shared_store"] = store_as_json(address, findings);
            }
            println!("{all:#}");
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
        });
        add_result(&mut all, result.as_ref().map_err(|Wrong { what, fix, .. }| (what, fix)), *took);
        all
    });
    json!({
        "connector": name,
        "fine": doctor::are_fine(findings),
        "steps": steps.collect::<Vec<_>>(),
        "not_checked": doctor::not_checked(findings).into_iter().map(Step::name).collect::<Vec<_>>(),
    })
}

fn store_as_json(address: &str, findings: &[StoreFinding]) -> Value {
    let checks = findings.iter().map(|StoreFinding { check, result, took }| {
        let mut all = json!({
            "check": check.name(),
            "title": check.title(),
        });
        add_result(&mut all, result.as_ref().map_err(|StoreProblem { what, fix }| (what, fix)), *took);
        all
    });
    json!({ "address": address, "fine": doctor::store_is_fine(findings), "checks": checks.collect::<Vec<_>>() })
}

/// Adds the result of a check: what was found, or what is wrong and its fix.
fn add_result(check: &mut Value, result: Result<&String, (&String, &String)>, took: Duration) {
    check["passed"] = json!(result.is_ok());
    check["ms"] = json!(took.as_secs_f64() * 1000.0);
    match result {
        Ok(found) => check["found"] = json!(found),
        Err((what, fix)) => {
            check["wrong"] = json!(what);
            check["fix"] = json!(fix);
        }
    }
}
