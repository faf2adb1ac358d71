//! The text of a new `proxy.yaml`.

use std::path::Path;

use super::arguments::{Arguments, CredentialInput, absolute};
use crate::business_central::{Company, EnvironmentName, PUBLIC_BASE_URL};
use crate::cli::common::Failure;
use crate::entra::{CertificateFiles, ClientId, PUBLIC_AUTHORITY, PUBLIC_SCOPE, TenantId};
use crate::outbound::{OutboundProxy, ProxyLogin, ProxyServer};
use crate::secret::SecretSource;

/// The values that the set-up has asked for and tested.
pub struct Connection {
    pub tenant: TenantId,
    pub client_id: ClientId,
    pub credential: CredentialInput,
    pub environment: EnvironmentName,
    /// `None` if clients name the company.
    pub company: Option<Company>,
}

/// Renders the file. Values that equal the default are left out.
pub fn yaml(arguments: &Arguments, connection: &Connection) -> Result<String, Failure> {
    let mut lines = vec![
        "# Written by `bcproxy setup`. All keys: bcproxy schema --markdown".to_owned(),
        format!("listen: {}", quoted(&arguments.listen.to_string())),
        "connectors:".to_owned(),
        format!("  {}:", quoted(&arguments.connector)),
        format!("    tenant_id: {}", connection.tenant),
        format!("    client_id: {}", connection.client_id),
    ];
    lines.push(match &connection.credential {
        CredentialInput::Secret(source) => format!("    client_secret: {}", secret_source(source)?),
        CredentialInput::Certificate(CertificateFiles { certificate, private_key }) => {
            let key = private_key.as_deref().map(text).transpose()?.map(quoted);
            let key = key.map_or_else(String::new, |key| format!(", private_key: {key}"));
            format!("    client_certificate: {{ certificate: {}{key} }}", quoted(text(certificate)?))
        }
    });
    lines.push(format!("    environment: {}", quoted(connection.environment.as_str())));
    match &connection.company {
        // An ID stays valid if somebody renames the company.
        Some(company) => lines.push(format!("    company: {}   # {}", company.id, company.name)),
        None => lines.push("    # company: clients name it in each request".to_owned()),
    }
    for (key, value, public) in [
        ("authority", arguments.authority.as_str(), PUBLIC_AUTHORITY),
        ("base_url", arguments.base_url.as_str(), PUBLIC_BASE_URL),
        ("scope", arguments.scope.as_str(), PUBLIC_SCOPE),
    ] {
        if value != public {
            lines.push(format!("    {key}: {}", quoted(value)));
        }
    }
    if let Some(path) = &arguments.ca_file {
        lines.push(format!("    ca_file: {}", quoted(text(&absolute(path)?)?)));
    }
    match &arguments.outbound_proxy_setting()? {
        OutboundProxy::FromEnvironment => {}
        OutboundProxy::Off => lines.push("    outbound_proxy: off".to_owned()),
        OutboundProxy::Server(ProxyServer { address, login: None, .. }) => {
            lines.push(format!("    outbound_proxy: {}", quoted(address.origin().as_str())));
        }
        OutboundProxy::Server(ProxyServer { address, login: Some(ProxyLogin { user, password }), .. }) => {
            let (url, user, password) = (quoted(address.origin().as_str()), quoted(user), secret_source(password)?);
            lines.push(format!("    outbound_proxy: {{ url: {url}, user: {user}, password: {password} }}"));
        }
    }
    Ok(lines.join("\n") + "\n")
}

/// Renders the source of a secret.
fn secret_source(source: &SecretSource) -> Result<String, Failure> {
    Ok(match source {
        SecretSource::File(path) => format!("{{ file: {} }}", quoted(text(path)?)),
        SecretSource::Env(name) => format!("{{ env: {} }}", quoted(name)),
        SecretSource::Command(command) => format!("{{ command: {} }}", serde_json::Value::from(command.argv.clone())),
        SecretSource::Given(_) => format!("{{ file: {SECRET_FILE} }}"),
    })
}

fn text(path: &Path) -> Result<&str, Failure> {
    path.to_str().ok_or_else(|| {
        Failure::Configuration(format!(
            "{} can't be written to the configuration file: the path is not valid Unicode. Use another path.",
            path.display()
        ))
    })
}

/// Renders a string in double quotes. YAML has all escapes of JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The file for a typed secret, in the folder of `proxy.yaml`.
pub const SECRET_FILE: &str = "client-secret.txt";
