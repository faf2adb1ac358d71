//! The options of `bcproxy setup`, and the outbound proxy and credential they name.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::azure_cli::Shell;
use super::client_secret::ExpiryDay;
use super::networks::Network;
use crate::business_central::{CompanyRef, EnvironmentName, PUBLIC_BASE_URL};
use crate::cli::common::{Failure, paste_mistake};
use crate::config::HostName;
use crate::entra::{
    CertificateFiles, ClientId, ClientSecret, ClientSecrets, Credential, PUBLIC_AUTHORITY, PUBLIC_SCOPE, TenantId,
};
use crate::outbound::{HttpsUrl, OutboundProxy, ProxyAddressError, ProxyLogin, ProxyServer};
use crate::secret::{Secret, SecretSource};

/// The options of `bcproxy setup`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Print the Azure CLI commands for the Entra part, and exit.
    #[arg(long, value_name = "SHELL", value_enum, num_args = 0..=1, default_missing_value = if cfg!(windows) { "powershell" } else { "sh" })]
    pub azure_cli: Option<Shell>,
    /// Ask no questions: take all values from these options, and stop at the first error.
    #[arg(long)]
    pub non_interactive: bool,
    /// Replace an existing configuration file without asking.
    #[arg(long)]
    pub overwrite: bool,
    /// The name of the connector.
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub connector: String,
    /// The directory (tenant) ID: a GUID or a domain.
    #[arg(long, value_name = "ID")]
    pub tenant: Option<TenantId>,
    /// The application (client) ID.
    #[arg(long, value_name = "GUID")]
    pub client_id: Option<ClientId>,
    /// The file with the client secret [default: ask for the secret and write it to client-secret.txt].
    #[arg(long, value_name = "FILE", conflicts_with = "client_secret_env")]
    pub client_secret_file: Option<PathBuf>,
    /// The environment variable with the client secret.
    #[arg(long, value_name = "VARIABLE")]
    pub client_secret_env: Option<String>,
    /// The day on which the client secret expires, such as 2027-05-01. bcproxy warns from 30 days before.
    #[arg(long, value_name = "DATE", conflicts_with = "certificate")]
    pub client_secret_expires: Option<ExpiryDay>,
    /// The PEM file with the certificate to sign in with, instead of a client secret.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["client_secret_file", "client_secret_env"])]
    pub certificate: Option<PathBuf>,
    /// The PEM file with the certificate's private key [default: the same file].
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub private_key: Option<PathBuf>,
    /// The Business Central environment.
    #[arg(long, value_name = "NAME")]
    pub environment: Option<EnvironmentName>,
    /// The company: its name or ID.
    #[arg(long, value_name = "COMPANY", conflicts_with = "any_company")]
    pub company: Option<CompanyRef>,
    /// Let clients name the company in each request.
    #[arg(long)]
    pub any_company: bool,
    /// The networks or addresses of clients on other machines, such as 192.168.1.0/24 [default: this machine only].
    #[arg(long, value_name = "NETWORK", value_delimiter = ',')]
    pub allow_from: Vec<Network>,
    /// Serve HTTPS, with a certificate that `setup` creates or that is in the folder already (server.pem).
    #[arg(long)]
    pub https: bool,
    /// The addresses that clients connect to [default: port 8080, or 8443 with --https].
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub listen: Vec<SocketAddr>,
    /// Names by which clients call this machine, besides its own name and addresses.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub host: Vec<HostName>,
    /// How long to wait for a missing change in Entra or Business Central, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 900)]
    pub wait: u64,
    /// The URL of Entra, which issues the tokens. Change it only for a national cloud.
    #[arg(long, value_name = "URL", default_value = PUBLIC_AUTHORITY)]
    pub authority: HttpsUrl,
    /// The URL of Business Central. Change it only for a national cloud.
    #[arg(long, value_name = "URL", default_value = PUBLIC_BASE_URL)]
    pub base_url: HttpsUrl,
    /// The scope of the tokens. Change it only for a national cloud.
    #[arg(long, value_name = "SCOPE", default_value = PUBLIC_SCOPE)]
    pub scope: String,
    /// A PEM file with certificates to trust in addition to this machine's.
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// The proxy to the internet: http://host:port, or `off` [default: the environment variable HTTPS_PROXY].
    #[arg(long, value_name = "URL")]
    pub outbound_proxy: Option<String>,
    /// The user name for the proxy.
    #[arg(long, value_name = "NAME", requires = "outbound_proxy")]
    pub outbound_proxy_user: Option<String>,
    /// The environment variable with the password for the proxy.
    #[arg(
        long,
        value_name = "VARIABLE",
        requires = "outbound_proxy_user",
        conflicts_with = "outbound_proxy_password_file"
    )]
    pub outbound_proxy_password_env: Option<String>,
    /// The file with the password for the proxy.
    #[arg(long, value_name = "FILE", requires = "outbound_proxy_user")]
    pub outbound_proxy_password_file: Option<PathBuf>,
}

impl Arguments {
    /// Returns the setting for `outbound_proxy` in the configuration.
    pub fn outbound_proxy_setting(&self) -> Result<OutboundProxy, Failure> {
        let url = match self.outbound_proxy.as_deref() {
            None => return Ok(OutboundProxy::FromEnvironment),
            Some("off") => return Ok(OutboundProxy::Off),
            Some(url) => url,
        };
        let address = url.parse().map_err(|reason: ProxyAddressError| {
            Failure::Configuration(format!("--outbound-proxy is invalid: {reason}. Write it as http://host:port."))
        })?;
        let password = match (&self.outbound_proxy_password_file, &self.outbound_proxy_password_env) {
            (Some(path), _) => Some(SecretSource::File(absolute(path)?)),
            (None, variable) => variable.clone().map(SecretSource::Env),
        };
        let login = match (self.outbound_proxy_user.clone(), password) {
            (None, _) => None,
            (Some(user), Some(password)) => Some(ProxyLogin { user, password }),
            (Some(_), None) => {
                let text =
                    "--outbound-proxy-user requires --outbound-proxy-password-env or --outbound-proxy-password-file.";
                return Err(Failure::Configuration(text.to_owned()));
            }
        };
        Ok(OutboundProxy::Server(ProxyServer { address, login, except: Vec::new() }))
    }
}

/// The application's credential as the options or answers give it.
pub enum CredentialInput {
    /// A typed secret is written to a file in the end.
    Secret(ClientSecret),
    Certificate(CertificateFiles),
}

impl CredentialInput {
    /// The credential that the options name.
    pub fn given(arguments: &Arguments) -> Result<Option<Self>, Failure> {
        let expires = arguments.client_secret_expires.map(|day| day.0);
        let secret = |source| Some(Self::Secret(ClientSecret { source, expires }));
        Ok(match (&arguments.client_secret_file, &arguments.client_secret_env, &arguments.certificate) {
            (Some(path), _, _) => secret(SecretSource::File(absolute(path)?)),
            (None, Some(variable), _) => secret(SecretSource::Env(variable.clone())),
            (None, None, Some(certificate)) => Some(Self::Certificate(CertificateFiles {
                certificate: absolute(certificate)?,
                private_key: arguments.private_key.as_deref().map(absolute).transpose()?,
            })),
            (None, None, None) => None,
        })
    }

    /// The secret that was typed, if one was.
    pub fn typed_secret(&self) -> Option<&Secret> {
        match self {
            Self::Secret(ClientSecret { source: SecretSource::Given(secret), .. }) => Some(secret),
            Self::Secret(_) | Self::Certificate(_) => None,
        }
    }

    /// Reads a stored secret, and reports the usual mistakes of copying it.
    pub async fn check(&self) -> Result<(), Failure> {
        let Self::Secret(ClientSecret { source, .. }) = self else { return Ok(()) };
        let secret = source.read("client secret").await;
        let secret = secret.map_err(|error| Failure::Configuration(format!("Nothing was written: {error}.")))?;
        paste_mistake::check(&secret)
            .map_err(|mistake| Failure::Configuration(format!("Nothing was written. The {source}: {mistake}")))
    }

    /// A credential to sign in with.
    pub fn to_credential(&self) -> Credential {
        match self {
            Self::Certificate(files) => Credential::ClientCertificate(files.clone()),
            Self::Secret(secret) => {
                Credential::ClientSecret(ClientSecrets { first: secret.clone(), others: Vec::new() })
            }
        }
    }
}

/// Makes a path absolute: relative paths refer to the working directory here, but to the file's folder in `proxy.yaml`.
pub fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::Configuration(format!("{}: {error}", path.display())))
}
