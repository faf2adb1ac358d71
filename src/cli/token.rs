//! `bcproxy token`: what the token of an application says. The token itself only when asked for: whoever has it is the application.

use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

use super::{Failure, Output, load, runtime, selected};
use crate::config::Connector;
use crate::entra::{Claims, IssuedToken, TokenEndpoint};
use crate::guide;
use crate::outbound::Client;

/// `reveal`: print the token itself, and in text nothing else.
pub fn token(path: &Path, connector: Option<&str>, reveal: bool, output: Output) -> Result<(), Failure> {
    let config = load(path)?;
    let connectors = selected(&config, connector)?;
    if reveal && connectors.len() > 1 {
        return Err(Failure::Configuration(
            "There are several connectors: name the one whose token is to be printed.".to_owned(),
        ));
    }
    let runtime = runtime()?;
    let mut all = Vec::new();
    for connector in connectors {
        let issued = runtime.block_on(request(connector))?;
        match output {
            Output::Text if reveal => println!("{}", &*text(&issued)),
            Output::Text => print(connector, &issued),
            Output::Json => all.push(as_json(connector, &issued, reveal)),
        }
    }
    if output == Output::Json {
        println!("{:#}", Value::Array(all));
    }
    Ok(())
}

async fn request(connector: &Connector) -> Result<IssuedToken, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::Failed(format!("connector {}: {error}", connector.name));
    let http = Client::new(connector.ca_file.as_deref(), &connector.outbound_proxy, connector.timeouts.connect)
        .map_err(|error| failed(&error))?;
    let endpoint = TokenEndpoint::new(http, connector.application.clone(), connector.timeouts.token);
    endpoint.request().await.map_err(|error| failed(&error))
}

fn text(issued: &IssuedToken) -> Zeroizing<String> {
    let text = issued.granted.authorization.to_str().unwrap_or_default();
    Zeroizing::new(text.strip_prefix("Bearer ").unwrap_or(text).to_owned())
}

fn claims(issued: &IssuedToken) -> Option<Map<String, Value>> {
    Claims::decode(&text(issued))
}

fn print(connector: &Connector, issued: &IssuedToken) {
    println!("connector {}", connector.name);
    let row = |name: &str, value: &str| println!("  {name:<12}{value}");
    row("expires", &expiry(issued.granted.lifetime));
    let Some(claims) = claims(issued) else {
        return row("claims", "it can't be looked into");
    };
    let said = |names: &[&str]| names.iter().find_map(|name| claims.get(*name)).map(shown);
    for (name, names) in [
        ("for", &["aud"] as &[&str]),
        ("issued by", &["iss"]),
        ("tenant", &["tid"]),
        ("application", &["appid", "azp"]),
        ("roles", &["roles"]),
        ("id", &["uti"]),
    ] {
        match said(names) {
            Some(value) => row(name, &value),
            None if name == "roles" => row(name, &format!("none. {}", guide::MISSING_ROLE)),
            None => {}
        }
    }
    if let Some(kind) = said(&["appidacr", "azpacr"]) {
        row(
            "proven by",
            match kind.as_str() {
                "1" => "a client secret",
                "2" => "a certificate or federated token",
                _ => "nothing",
            },
        );
    }
}

/// It comes from outside and goes to a terminal.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    };
    text.chars().filter(|character| !character.is_control()).collect()
}

fn expiry(lifetime: Duration) -> String {
    let minutes = lifetime.as_secs() / 60;
    match end(lifetime) {
        Some(end) => format!("{end}, in {minutes} min"),
        None => format!("in {minutes} min"),
    }
}

fn end(lifetime: Duration) -> Option<String> {
    let end = OffsetDateTime::now_utc().checked_add(lifetime.try_into().ok()?)?;
    end.replace_nanosecond(0).ok()?.format(&Rfc3339).ok()
}

fn as_json(connector: &Connector, issued: &IssuedToken, reveal: bool) -> Value {
    let mut all = json!({
        "connector": connector.name,
        "expires": end(issued.granted.lifetime),
        "expires_in": issued.granted.lifetime.as_secs(),
        "roles": issued.granted.claims.as_ref().map(|claims| &claims.roles),
        "claims": claims(issued),
    });
    if reveal {
        all["token"] = json!(*text(issued));
    }
    all
}
