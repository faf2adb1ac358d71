//! `bcproxy check`: checks the configuration file for mistakes, without using the network.

use std::path::Path;

use anstream::{eprintln, println};
use serde_json::{Value, json};

use super::common::{Failure, Output, rendered};
use crate::config::{Config, Connector, Diagnostic, Diagnostics, LogFile, Position};
use crate::outbound::ProxySelector;

/// Prints the mistakes of the configuration file; or its routes and connectors if it is valid.
pub fn check(file: &Path, output: Output) -> Result<(), Failure> {
    let (findings, valid) = match Config::check(file) {
        Ok(loaded) => (loaded.warnings, Some(loaded.config)),
        Err(mistakes) => (mistakes, None),
    };
    if output == Output::Json {
        println!("{:#}", json!({ "fine": valid.is_some(), "findings": as_json(&findings) }));
        return valid.map(|_| ()).ok_or_else(|| Failure::Configuration(String::new()));
    }
    let Some(config) = valid else {
        return Err(Failure::Configuration(rendered(&findings)));
    };
    if !findings.is_empty() {
        eprintln!("{}", rendered(&findings));
    }
    println!("{} has no mistakes.", file.display());
    for route in &config.routes {
        println!("  {} → {}", route.path, route.target());
    }
    for connector in config.connectors.iter().filter(|connector| !connector.other_applications.is_empty()) {
        println!(
            "  connector {}: its {} applications share API and OData requests; SOAP calls count towards the environment's limits",
            connector.name,
            1 + connector.other_applications.len()
        );
    }
    for connector in &config.connectors {
        if let Some(text) = outbound_proxies(connector) {
            println!("  connector {}: {text}", connector.name);
        }
    }
    if cfg!(windows) && config.log.file.is_none() {
        println!("  as a service, it logs to {}", LogFile::of_service(file).display());
    }
    Ok(())
}

/// Describes the outbound proxies of a connector's requests; `None` if there are none.
fn outbound_proxies(connector: &Connector) -> Option<String> {
    let proxies = ProxySelector::new(&connector.outbound_proxy).ok()?;
    match (proxies.describe(&connector.application.authority), proxies.describe(&connector.base_url)) {
        (None, None) => None,
        (Some(proxy), Some(_)) => Some(format!("reaches Entra and Business Central through {proxy}")),
        (Some(proxy), None) => Some(format!("reaches Entra through {proxy}, Business Central directly")),
        (None, Some(proxy)) => Some(format!("reaches Business Central through {proxy}, Entra directly")),
    }
}

fn as_json(findings: &Diagnostics) -> Vec<Value> {
    let finding = |(diagnostic, position): (&Diagnostic, Option<Position>)| {
        json!({
            "severity": diagnostic.severity,
            "line": position.map(|position| position.line),
            "column": position.map(|position| position.column),
            "message": diagnostic.message,
            "help": diagnostic.help,
        })
    };
    findings.iter().map(finding).collect()
}
