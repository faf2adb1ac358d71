//! The options of `bcproxy setup`.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::azure_cli::Shell;
use super::outbound_proxy::ProxyOptions;
use crate::business_central::{CompanyRef, EnvironmentName, PUBLIC_BASE_URL};
use crate::entra::{ClientId, PUBLIC_AUTHORITY, PUBLIC_SCOPE, TenantId};
use crate::outbound::HttpsUrl;

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
    /// The address that clients connect to.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
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
    /// The outbound proxy.
    #[command(flatten)]
    pub outbound_proxy: ProxyOptions,
}
