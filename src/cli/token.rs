//! `bcproxy token`: fetches a token and shows its contents.
//!
//! The token itself is shown only on request, because anybody who has it can act as the application.

use std::path::Path;
use std::time::Duration;

use anstream::println;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

use super::common::{Failure, Output, Progress, load, printable, runtime, select_connectors};
use crate::config::Connector;
use crate::entra::{Application, Claims, ClientId, IssuedToken, TokenEndpoint};
use crate::guide;
use crate::outbound::HttpClient;

/// Fetches the tokens of the selected connectors and applications. With `reveal`, text output is the token alone.
pub fn token(
    file: &Path,
    connector: Option<&str>,
    client_id: Option<ClientId>,
    reveal: bool,
    output: Output,
) -> Result<(), Failure> {
    let config = load(file)?.config;
    let connectors = select_connectors(&config, connector)?;
    let of = |connector| Connector::applications(connector).map(move |application| (connector, application));
    let wanted = |(_, application): &(&Connector, &Application)| client_id.is_none_or(|id| application.client_id == id);
    let chosen: Vec<_> = connectors.into_iter().flat_map(|connector| of(connector)).filter(wanted).collect();
    if chosen.is_empty() {
        return Err(Failure::Configuration(
            "No selected connector has an application with this client ID. Check --client-id.".to_owned(),
        ));
    }
    if reveal && chosen.len() > 1 {
        return Err(Failure::Configuration(
            "--reveal prints one token, but the configuration has several connectors or applications. Name one: \
             `bcproxy token CONNECTOR --client-id GUID --reveal`."
                .to_owned(),
        ));
    }
    let runtime = runtime()?;
    let (mut all, mut failures) = (Vec::new(), Vec::new());
    for (connector, application) in chosen {
        let progress = Progress::new(format!("fetching a token for {}", name(connector, application)));
        match runtime.block_on(progress.during(request(connector, application))) {
            Err(error) => failures.push(format!("{}: {error}", name(connector, application))),
            Ok(issued) => match output {
                Output::Text if reveal => println!("{}", &*text(&issued)),
                Output::Text => print(connector, application, &issued),
                Output::Json => all.push(as_json(connector, application, &issued, reveal)),
            },
        }
    }
    if output == Output::Json {
        println!("{:#}", Value::Array(all));
    }
    if failures.is_empty() { Ok(()) } else { Err(Failure::Failed(failures.join("\n"))) }
}

/// The name of the connector, with the application if it has several.
fn name(connector: &Connector, application: &Application) -> String {
    match connector.other_applications.is_empty() {
        true => format!("connector {}", connector.name),
        false => format!("connector {}, application {}", connector.name, application.client_id),
    }
}

async fn request(connector: &Connector, application: &Application) -> Result<IssuedToken, String> {
    let http = HttpClient::new(connector.ca_file.as_deref(), &connector.outbound_proxy, connector.timeouts.connect)
        .map_err(|error| error.to_string())?;
    let endpoint = TokenEndpoint::new(http, application.clone(), connector.timeouts.token);
    endpoint.request().await.map_err(|error| error.to_string())
}

fn text(issued: &IssuedToken) -> Zeroizing<String> {
    let text = issued.grant.authorization.to_str().unwrap_or_default();
    Zeroizing::new(text.strip_prefix("Bearer ").unwrap_or(text).to_owned())
}

fn claims(issued: &IssuedToken) -> Option<Map<String, Value>> {
    Claims::decode_payload(&text(issued))
}

fn print(connector: &Connector, application: &Application, issued: &IssuedToken) {
    println!("{}", name(connector, application));
    let row = |name: &str, value: &str| println!("  {name:<12}{value}");
    row("expires", &expiry(issued.grant.lifetime));
    let Some(claims) = claims(issued) else {
        return row("claims", "unreadable: the token is not a JSON Web Token");
    };
    let claim = |names: &[&str]| names.iter().find_map(|name| claims.get(*name)).map(as_text);
    for (name, names) in [
        ("audience", &["aud"] as &[&str]),
        ("issued by", &["iss"]),
        ("tenant", &["tid"]),
        ("application", &["appid", "azp"]),
        ("roles", &["roles"]),
        ("id", &["uti"]),
    ] {
        match claim(names) {
            Some(value) => row(name, &value),
            None if name == "roles" => {
                let advice = application.consent_advice().unwrap_or_default();
                row(name, &format!("none. {} {advice}", guide::MISSING_ROLE));
            }
            None => {}
        }
    }
    if let Some(kind) = claim(&["appidacr", "azpacr"]) {
        let has_credential = matches!(kind.as_str(), "1" | "2");
        row("credential", if has_credential { application.credential.kind() } else { "none" });
    }
}

fn as_text(claim: &Value) -> String {
    match claim {
        Value::String(text) => printable(text),
        Value::Array(items) => items.iter().map(as_text).collect::<Vec<_>>().join(", "),
        other => printable(&other.to_string()),
    }
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

fn as_json(connector: &Connector, application: &Application, issued: &IssuedToken, reveal: bool) -> Value {
    let mut all = json!({
        "connector": connector.name,
        "client_id": application.client_id.to_string(),
        "credential": application.credential.kind(),
        "expires": end(issued.grant.lifetime),
        "expires_in": issued.grant.lifetime.as_secs(),
        "roles": issued.grant.claims.as_ref().map(|claims| &claims.roles),
        "claims": claims(issued),
    });
    if reveal {
        all["token"] = json!(*text(issued));
    }
    all
}
