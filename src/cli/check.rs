//! `bcproxy check`: the configuration file's mistakes, without the network.

use std::path::Path;

use serde_json::{Value, json};

use super::{Failure, Output, drawn};
use crate::config::{Config, Connector, Diagnostics, Severity};
use crate::outbound::ProxySelector;

pub fn check(path: &Path, output: Output) -> Result<(), Failure> {
    let (findings, fine) = match Config::load(path) {
        Ok(loaded) => (loaded.warnings, Some(loaded.config)),
        Err(mistakes) => (mistakes, None),
    };
    if output == Output::Json {
        println!("{:#}", json!({ "fine": fine.is_some(), "findings": as_json(&findings) }));
        // All is said; only the exit code is left.
        return fine.map(|_| ()).ok_or_else(|| Failure::Configuration(String::new()));
    }
    let Some(config) = fine else {
        return Err(Failure::Configuration(drawn(&findings)));
    };
    if !findings.is_empty() {
        eprintln!("{}", drawn(&findings));
    }
    println!("{} is fine.", path.display());
    for route in &config.routes {
        let company = match (&route.company, &route.surface) {
            (_, crate::business_central::Surface::Environment) => String::new(),
            (Some(company), _) => format!(", company {company}"),
            (None, _) => ", company named by the client".to_owned(),
        };
        println!(
            "  {} → {} of connector {}, environment {}{company}",
            route.path, route.surface, route.connector.name, route.environment
        );
    }
    for connector in config.connectors.iter().filter(|connector| !connector.other_applications.is_empty()) {
        println!(
            "  connector {}: its {} applications share api and OData requests; SOAP calls have the environment's limits, whichever of them \
             calls",
            connector.name,
            1 + connector.other_applications.len()
        );
    }
    for connector in &config.connectors {
        if let Some(proxy) = way_out(connector) {
            println!("  connector {}: {proxy}", connector.name);
        }
    }
    Ok(())
}

/// Through which outbound proxy a connector's requests go; `None`: through none.
fn way_out(connector: &Connector) -> Option<String> {
    let proxies = ProxySelector::new(&connector.outbound_proxy).ok()?;
    match (proxies.describe(&connector.application.authority), proxies.describe(&connector.base_url)) {
        (None, None) => None,
        (Some(proxy), Some(_)) => Some(format!("Entra and Business Central are reached through {proxy}")),
        (Some(proxy), None) => Some(format!("Entra is reached through {proxy}, Business Central straight")),
        (None, Some(proxy)) => Some(format!("Business Central is reached through {proxy}, Entra straight")),
    }
}

fn as_json(findings: &Diagnostics) -> Vec<Value> {
    let finding = |(diagnostic, position): (&crate::config::Diagnostic, Option<crate::config::Position>)| {
        json!({
            "severity": match diagnostic.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            "line": position.map(|position| position.line),
            "column": position.map(|position| position.column),
            "message": diagnostic.message,
            "help": diagnostic.help,
        })
    };
    findings.iter().map(finding).collect()
}
