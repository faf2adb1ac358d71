//! `bcproxy setup`: asks for a connection, tries every answer at once, and writes proxy.yaml.

mod ask;
mod azure_cli;
mod outbound_proxy;
mod steps;
mod write;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use self::ask::Ask;
use self::azure_cli::Shell;
use self::steps::Steps;
use self::write::Proof;
use super::{Failure, runtime};
use crate::business_central::{CompanyRef, EnvironmentName, PUBLIC_BASE_URL};
use crate::entra::{CertificateFiles, ClientId, PUBLIC_AUTHORITY, PUBLIC_SCOPE, TenantId};
use crate::outbound::HttpsUrl;
use crate::secret::SecretSource;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Print the commands of the Azure CLI that do the Entra part, and end.
    #[arg(long, value_name = "SHELL", value_enum, num_args = 0..=1, default_missing_value = if cfg!(windows) { "powershell" } else { "sh" })]
    azure_cli: Option<Shell>,
    /// Ask nothing: everything comes from these options, and the first thing that is wrong ends the command.
    #[arg(long)]
    non_interactive: bool,
    /// Replace the configuration file if it is there, without asking.
    #[arg(long)]
    overwrite: bool,
    /// The name of the connector.
    #[arg(long, value_name = "NAME", default_value = "main")]
    connector: String,
    /// Directory (tenant) ID: a GUID or a domain.
    #[arg(long, value_name = "ID")]
    tenant: Option<TenantId>,
    /// Application (client) ID.
    #[arg(long, value_name = "GUID")]
    client_id: Option<ClientId>,
    /// The file that holds the client secret. Without it, the next one and --certificate, it is asked for and written to client-secret.txt.
    #[arg(long, value_name = "FILE", conflicts_with = "client_secret_env")]
    client_secret_file: Option<PathBuf>,
    /// The environment variable that holds the client secret.
    #[arg(long, value_name = "VARIABLE")]
    client_secret_env: Option<String>,
    /// The PEM file of the certificate to sign in with, in place of a secret.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["client_secret_file", "client_secret_env"])]
    certificate: Option<PathBuf>,
    /// The PEM file of its private key, if it is not in the same file.
    #[arg(long, value_name = "FILE", requires = "certificate")]
    private_key: Option<PathBuf>,
    /// The environment.
    #[arg(long, value_name = "NAME")]
    environment: Option<EnvironmentName>,
    /// The company: its name or id.
    #[arg(long, value_name = "COMPANY", conflicts_with = "any_company")]
    company: Option<CompanyRef>,
    /// Programs name the company themselves.
    #[arg(long)]
    any_company: bool,
    /// Where programs come in.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// How long to wait for what is still to be done in Entra or Business Central, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 900)]
    wait: u64,
    /// Where tokens are issued; for a national cloud.
    #[arg(long, value_name = "URL", default_value = PUBLIC_AUTHORITY)]
    authority: HttpsUrl,
    /// Where Business Central is; for a national cloud.
    #[arg(long, value_name = "URL", default_value = PUBLIC_BASE_URL)]
    base_url: HttpsUrl,
    /// What tokens are for; for a national cloud.
    #[arg(long, value_name = "SCOPE", default_value = PUBLIC_SCOPE)]
    scope: String,
    /// A PEM file of certificates to trust in addition to those of this machine.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    #[command(flatten)]
    outbound_proxy: outbound_proxy::ProxyOptions,
}

pub fn setup(file: &Path, arguments: Arguments) -> Result<(), Failure> {
    if let Some(shell) = arguments.azure_cli {
        print!("{}", shell.script());
        return Ok(());
    }
    let ask = Ask::new(arguments.non_interactive)?;
    let outbound_proxy = arguments.outbound_proxy.setting()?;
    write::may_write(&ask, file, arguments.overwrite)?;
    let runtime = runtime()?;
    let mut steps = Steps::new(&runtime, ask, &arguments)?;

    let tenant = steps.tenant(arguments.tenant)?;
    let client = steps.client(&tenant, arguments.client_id)?;
    let proof = match (arguments.client_secret_file, arguments.client_secret_env, arguments.certificate) {
        (Some(path), _, _) => Proof::Secret(SecretSource::File(write::absolute(path)?)),
        (None, Some(variable), _) => Proof::Secret(SecretSource::Env(variable)),
        (None, None, Some(certificate)) => Proof::Certificate(CertificateFiles {
            certificate: write::absolute(certificate)?,
            private_key: arguments.private_key.map(write::absolute).transpose()?,
        }),
        (None, None, None) => steps.new_proof(&tenant, client)?,
    };
    let mut token = steps.sign_in(&tenant, client, &proof, Duration::from_secs(arguments.wait))?;
    let (environment, companies) =
        steps.environment(&tenant, client, arguments.environment, &mut token, Duration::from_secs(arguments.wait))?;
    let company = steps.company(&companies, arguments.company, arguments.any_company)?;
    steps.permission(
        &tenant,
        &environment,
        company.as_ref().or(companies.first()),
        &token,
        Duration::from_secs(arguments.wait),
    )?;

    let settings = write::Settings {
        connector: arguments.connector,
        tenant,
        client,
        proof,
        environment,
        company,
        listen: arguments.listen,
        authority: arguments.authority,
        base_url: arguments.base_url,
        scope: arguments.scope,
        ca_file: arguments.ca_file.map(write::absolute).transpose()?,
        outbound_proxy,
    };
    write::write(&steps.ask, file, &settings)
}
