//! The files a set-up ends in: proxy.yaml, and the secret where it was typed.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::ask::Ask;
use crate::business_central::{Company, EnvironmentName, PUBLIC_BASE_URL};
use crate::cli::{Failure, drawn, private_file};
use crate::config::Config;
use crate::doctor::Wrong;
use crate::entra::{
    CertificateFiles, ClientId, ClientSecret, ClientSecrets, Credential, PUBLIC_AUTHORITY, PUBLIC_SCOPE, TenantId,
};
use crate::guide::Step;
use crate::outbound::{HttpsUrl, OutboundProxy, ProxyLogin, ProxyServer};
use crate::secret::SecretSource;
use crate::small_file;

/// What proves that we are the application.
pub enum Proof {
    Secret(SecretSource),
    /// A secret that was typed, and is written to [`SECRET_FILE`].
    NewSecret(Zeroizing<String>),
    Certificate(CertificateFiles),
}

/// Everything that goes into the file.
pub struct Settings {
    pub connector: String,
    pub tenant: TenantId,
    pub client: ClientId,
    pub proof: Proof,
    pub environment: EnvironmentName,
    pub company: Option<Company>,
    pub listen: SocketAddr,
    pub authority: HttpsUrl,
    pub base_url: HttpsUrl,
    pub scope: String,
    pub ca_file: Option<PathBuf>,
    pub outbound_proxy: OutboundProxy,
}

impl Proof {
    /// For trying it; a secret that was typed is in a file of its own for as long as that lives.
    pub fn credential(&self) -> Result<(Credential, Option<NamedTempFile>), Wrong> {
        let (source, file) = match self {
            Self::Certificate(files) => return Ok((Credential::ClientCertificate(files.clone()), None)),
            Self::Secret(source) => (source.clone(), None),
            Self::NewSecret(value) => {
                let file = private_file::write(&std::env::temp_dir(), value.as_bytes()).map_err(|error| {
                    let what = format!("the secret can't be put into a temporary file to try it ({error})");
                    Wrong::new(Step::Credential, what, "give the file that holds it with --client-secret-file")
                })?;
                (SecretSource::File(file.path().to_owned()), Some(file))
            }
        };
        let first = ClientSecret { source, expires: None };
        Ok((Credential::ClientSecret(ClientSecrets { first, others: Vec::new() }), file))
    }
}

/// Paths in the file are relative to it, those on the command line to where it was typed.
pub fn absolute(path: PathBuf) -> Result<PathBuf, Failure> {
    std::path::absolute(&path).map_err(|error| Failure::Configuration(format!("{}: {error}", path.display())))
}

/// Asks before anything else whether a file that is there may be replaced.
pub fn may_write(ask: &Ask, file: &Path, overwrite: bool) -> Result<(), Failure> {
    if overwrite || !file.exists() {
        return Ok(());
    }
    let question = format!("{} is already there. Replace it?", file.display());
    if ask.confirm(&question, false, false)? {
        return Ok(());
    }
    let how = if ask.is_interactive() { "" } else { ", or replace it with --overwrite" };
    Err(Failure::Failed(format!(
        "Nothing was written: {} is already there; name another file with --config{how}.",
        file.display()
    )))
}

/// Writes the secret, then the configuration, and says what comes next.
pub fn write(ask: &Ask, file: &Path, settings: &Settings) -> Result<(), Failure> {
    let text = yaml(settings)?;
    Config::from_yaml(&text, file).map_err(|mistakes| Failure::Configuration(drawn(&mistakes)))?;
    let failed = |what: &Path, error: &dyn std::fmt::Display| {
        Failure::Failed(format!("{} can't be written: {error}", what.display()))
    };
    if let Proof::NewSecret(value) = &settings.proof {
        let path = small_file::folder(file).join(SECRET_FILE);
        if path.exists() && !ask.confirm(&format!("{} is already there. Replace it?", path.display()), false, false)? {
            return Err(Failure::Failed(format!("Nothing was written: {} is already there.", path.display())));
        }
        let written =
            private_file::write(small_file::folder(file), value.as_bytes()).map_err(|error| failed(&path, &error))?;
        written.persist(&path).map_err(|error| failed(&path, &error))?;
        println!("Written: {} (the secret; {})", path.display(), private_file::who_may_read(&path));
    }
    std::fs::write(file, text).map_err(|error| failed(file, &error))?;
    println!("Written: {}\n", file.display());
    let option = if file == Path::new("proxy.yaml") { String::new() } else { format!(" --config {}", file.display()) };
    println!(
        "Next:\n  bcproxy doctor{option}    looks at every step once more\n  bcproxy{option}           serves on http://{}",
        settings.listen
    );
    Ok(())
}

fn yaml(settings: &Settings) -> Result<String, Failure> {
    let mut lines = vec![
        "# bcproxy, as `bcproxy setup` wrote it. Every key: docs/configuration.md".to_owned(),
        format!("listen: {}", quoted(&settings.listen.to_string())),
        "connectors:".to_owned(),
        format!("  {}:", quoted(&settings.connector)),
        format!("    tenant_id: {}", settings.tenant),
        format!("    client_id: {}", settings.client),
    ];
    lines.push(match &settings.proof {
        Proof::NewSecret(_) => format!("    client_secret: {{ file: {SECRET_FILE} }}"),
        Proof::Secret(source) => format!("    client_secret: {}", place(source)?),
        Proof::Certificate(CertificateFiles { certificate, private_key }) => {
            let key = private_key.as_deref().map(text).transpose()?.map(quoted);
            let key = key.map_or_else(String::new, |key| format!(", private_key: {key}"));
            format!("    client_certificate: {{ certificate: {}{key} }}", quoted(text(certificate)?))
        }
    });
    lines.push(format!("    environment: {}", quoted(settings.environment.as_str())));
    match &settings.company {
        // An id stays when somebody renames the company.
        Some(company) => lines.push(format!("    company: {}   # {}", company.id, company.name)),
        None => lines.push("    # company: programs name it themselves".to_owned()),
    }
    for (key, value, public) in [
        ("authority", settings.authority.as_str(), PUBLIC_AUTHORITY),
        ("base_url", settings.base_url.as_str(), PUBLIC_BASE_URL),
        ("scope", settings.scope.as_str(), PUBLIC_SCOPE),
    ] {
        if value != public {
            lines.push(format!("    {key}: {}", quoted(value)));
        }
    }
    if let Some(path) = &settings.ca_file {
        lines.push(format!("    ca_file: {}", quoted(text(path)?)));
    }
    match &settings.outbound_proxy {
        OutboundProxy::FromEnvironment => {}
        OutboundProxy::Off => lines.push("    outbound_proxy: off".to_owned()),
        OutboundProxy::Server(ProxyServer { address, login: None, .. }) => {
            lines.push(format!("    outbound_proxy: {}", quoted(&address.url())));
        }
        OutboundProxy::Server(ProxyServer { address, login: Some(ProxyLogin { user, password }), .. }) => {
            let (url, user, password) = (quoted(&address.url()), quoted(user), place(password)?);
            lines.push(format!("    outbound_proxy: {{ url: {url}, user: {user}, password: {password} }}"));
        }
    }
    Ok(lines.join("\n") + "\n")
}

/// Where a secret is kept, as the file says it.
fn place(source: &SecretSource) -> Result<String, Failure> {
    Ok(match source {
        SecretSource::File(path) => format!("{{ file: {} }}", quoted(text(path)?)),
        SecretSource::Env(name) => format!("{{ env: {} }}", quoted(name)),
        SecretSource::Command(argv) => format!("{{ command: {} }}", serde_json::Value::from(argv.clone())),
    })
}

fn text(path: &Path) -> Result<&str, Failure> {
    path.to_str().ok_or_else(|| {
        Failure::Configuration(format!(
            "{} can't be written into a configuration file: it is no Unicode",
            path.display()
        ))
    })
}

/// A scalar in double quotes: JSON's escapes are YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Where a secret that was typed is kept, beside the configuration.
const SECRET_FILE: &str = "client-secret.txt";
