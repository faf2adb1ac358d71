//! `bcproxy companies`: lists the companies that an application can access.

use std::path::Path;

use anstream::println;
use serde_json::{Value, json};

use super::common::{Failure, Output, Progress, load, printable, runtime, select_connectors};
use crate::business_central::Company;
use crate::business_central::address::EnvironmentAddress;
use crate::config::Connector;
use crate::doctor::{self, Wrong};
use crate::outbound::HttpClient;

/// Lists the companies of one connector or of all.
pub fn companies(file: &Path, connector: Option<&str>, output: Output) -> Result<(), Failure> {
    let config = load(file)?.config;
    let runtime = runtime()?;
    let mut all = Vec::new();
    for connector in select_connectors(&config, connector)? {
        let progress = Progress::new(format!("listing the companies of connector {}", connector.name));
        let list = runtime
            .block_on(progress.during(list(connector)))
            .map_err(|wrong| Failure::of_connector(&connector.name, &wrong))?;
        all.push((connector, list));
    }
    match output {
        Output::Text => all.iter().for_each(|(connector, list)| print(connector, list)),
        Output::Json => {
            println!("{:#}", Value::Array(all.iter().flat_map(|(connector, list)| as_json(connector, list)).collect()))
        }
    }
    Ok(())
}

async fn list(connector: &Connector) -> Result<Vec<Company>, Wrong> {
    let http = HttpClient::new(connector.ca_file.as_deref(), &connector.outbound_proxy, connector.timeouts.connect)
        .map_err(|error| doctor::unusable(&error))?;
    let address =
        EnvironmentAddress::new(&connector.base_url, &connector.application.tenant_id, &connector.environment);
    let as_application = async |application| {
        let signed_in = doctor::sign_in(&http, application, connector.timeouts.token).await?;
        doctor::list_companies(&address, &signed_in).await
    };
    // One application with access is enough. If none has, the first one's error is reported.
    let mut listed = as_application(&connector.application).await;
    for application in &connector.other_applications {
        if listed.is_ok() {
            break;
        }
        listed = as_application(application).await.or(listed);
    }
    listed
}

fn print(connector: &Connector, list: &[Company]) {
    println!("connector {}, environment {}", connector.name, connector.environment);
    let width = list.iter().map(|company| company.name.as_str().chars().count()).max().unwrap_or(0).max(4);
    println!("  {:<width$}  {:<36}  display name", "name", "id");
    for Company { id, name, display_name } in list {
        println!("  {:<width$}  {id}  {}", name.as_str(), printable(display_name));
    }
}

fn as_json(connector: &Connector, list: &[Company]) -> Vec<Value> {
    let company = |Company { id, name, display_name }: &Company| {
        json!({
            "connector": connector.name,
            "environment": connector.environment.as_str(),
            "name": name.as_str(),
            "id": id.to_string(),
            "display_name": display_name,
        })
    };
    list.iter().map(company).collect()
}
