//! The text of a new `proxy.yaml`.

use std::net::SocketAddr;
use std::path::Path;

use super::arguments::{Arguments, CredentialInput, absolute};
use super::client_secret::SecretTarget;
use super::serving_steps::{Certificate, Serving};
use crate::business_central::{Company, EnvironmentName, PUBLIC_BASE_URL};
use crate::cli::common::Failure;
use crate::entra::{CertificateFiles, ClientId, ClientSecret, PUBLIC_AUTHORITY, PUBLIC_SCOPE, TenantId};
use crate::outbound::{OutboundProxy, ProxyLogin, ProxyServer};
use crate::secret::{SecretSource, WindowsSecret};

/// The values that the set-up has asked for and tested.
pub struct Connection {
    pub tenant: TenantId,
    pub client_id: ClientId,
    pub credential: CredentialInput,
    pub environment: EnvironmentName,
    /// `None` if clients name the company.
    pub company: Option<Company>,
}

/// Renders the file. Values that equal the default are left out. A typed secret is stored in `typed`.
pub fn yaml(
    arguments: &Arguments,
    connection: &Connection,
    serving: &Serving,
    typed: Option<&SecretTarget>,
) -> Result<String, Failure> {
    let mut lines = vec!["# Written by `bcproxy setup`. All keys: bcproxy schema --markdown".to_owned()];
    lines.extend(listen(serving)?);
    lines.extend(access(serving));
    lines.extend([
        "connectors:".to_owned(),
        format!("  {}:", quoted(&arguments.connector)),
        format!("    tenant_id: {}", connection.tenant),
        format!("    client_id: {}", connection.client_id),
    ]);
    lines.push(match &connection.credential {
        CredentialInput::Secret(ClientSecret { source, expires }) => {
            let expires = expires.map_or_else(String::new, |day| format!(", expires: {day}"));
            format!("    client_secret: {{ {}{expires} }}", secret_source(source, typed)?)
        }
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
            let (url, user) = (quoted(address.origin().as_str()), quoted(user));
            let password = secret_source(password, typed)?;
            lines.push(format!("    outbound_proxy: {{ url: {url}, user: {user}, password: {{ {password} }} }}"));
        }
    }
    Ok(lines.join("\n") + "\n")
}

/// Renders the listeners: one address without a certificate, or a list.
fn listen(serving: &Serving) -> Result<Vec<String>, Failure> {
    let tls = match &serving.certificate {
        None => None,
        Some(Certificate::New(issued)) => Some(&issued.files),
        Some(Certificate::Existing(files, _)) => Some(files),
    };
    let name = |path: &Path| text(Path::new(path.file_name().unwrap_or_default())).map(quoted);
    let entry = |address: &SocketAddr| match tls {
        None => Ok(quoted(&address.to_string())),
        Some(files) => Ok(format!(
            "{{ address: {}, tls: {{ certificate: {}, private_key: {} }} }}",
            quoted(&address.to_string()),
            name(&files.server)?,
            name(&files.server_key)?
        )),
    };
    let mut entries = serving.listen.iter().map(entry).collect::<Result<Vec<String>, Failure>>()?;
    Ok(match entries.as_mut_slice() {
        [single] => vec![format!("listen: {single}")],
        _ => std::iter::once("listen:".to_owned()).chain(entries.iter().map(|entry| format!("  - {entry}"))).collect(),
    })
}

/// Renders who may call. This machine always may.
fn access(serving: &Serving) -> Vec<String> {
    let is_local = serving.listen.iter().all(|address| address.ip().to_canonical().is_loopback());
    let list = |values: Vec<String>| values.iter().map(|value| quoted(value)).collect::<Vec<_>>().join(", ");
    let mut keys = Vec::new();
    if !is_local || !serving.allow_from.is_empty() {
        let this_machine = ["127.0.0.1", "::1"].map(ToOwned::to_owned);
        let networks = serving.allow_from.iter().map(ToString::to_string);
        keys.push(format!("  allow_from: [{}]", list(this_machine.into_iter().chain(networks).collect())));
    }
    if !serving.hosts.is_empty() {
        keys.push(format!("  hosts: [{}]", list(serving.hosts.iter().map(ToString::to_string).collect())));
    }
    if !keys.is_empty() {
        keys.insert(0, "access:".to_owned());
    }
    keys
}

/// Renders the source of a secret, as keys of a mapping.
fn secret_source(source: &SecretSource, typed: Option<&SecretTarget>) -> Result<String, Failure> {
    let stored = |secret: &WindowsSecret| format!("windows: {}", quoted(secret.name.as_str()));
    Ok(match source {
        SecretSource::File(path) => format!("file: {}", quoted(text(path)?)),
        SecretSource::Env(name) => format!("env: {}", quoted(name)),
        SecretSource::Command(command) => format!("command: {}", serde_json::Value::from(command.argv.clone())),
        SecretSource::Windows(secret) => stored(secret),
        SecretSource::Given(_) => match typed {
            Some(SecretTarget::Windows(secret)) => stored(secret),
            Some(SecretTarget::File(path)) => {
                format!("file: {}", quoted(text(Path::new(path.file_name().unwrap_or_default()))?))
            }
            None => String::new(),
        },
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
