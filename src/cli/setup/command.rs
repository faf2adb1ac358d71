//! The order of the set-up's steps, from the arguments to the written files.

use std::path::Path;

use super::arguments::Arguments;
use super::credential_input::CredentialInput;
use super::paths::absolute;
use super::prompt::Prompt;
use super::session::Session;
use super::write;
use super::yaml::ConnectionSettings;
use crate::cli::common::{Failure, runtime};
use crate::entra::CertificateFiles;
use crate::secret::SecretSource;

/// Sets up a connection and writes it to `file`, or prints the Azure CLI commands if only these are wanted.
pub fn setup(file: &Path, arguments: Arguments) -> Result<(), Failure> {
    if let Some(shell) = arguments.azure_cli {
        print!("{}", shell.script());
        return Ok(());
    }
    let prompt = Prompt::new(arguments.non_interactive)?;
    let outbound_proxy = arguments.outbound_proxy.setting()?;
    write::confirm_overwrite(&prompt, file, arguments.overwrite)?;
    let runtime = runtime()?;
    let mut session = Session::new(&runtime, prompt, &arguments)?;

    let tenant = session.tenant(arguments.tenant)?;
    let client_id = session.application(&tenant, arguments.client_id)?;
    let credential = match (arguments.client_secret_file, arguments.client_secret_env, arguments.certificate) {
        (Some(path), _, _) => CredentialInput::Secret(SecretSource::File(absolute(path)?)),
        (None, Some(variable), _) => CredentialInput::Secret(SecretSource::Env(variable)),
        (None, None, Some(certificate)) => CredentialInput::Certificate(CertificateFiles {
            certificate: absolute(certificate)?,
            private_key: arguments.private_key.map(absolute).transpose()?,
        }),
        (None, None, None) => session.new_credential(&tenant, client_id)?,
    };
    let signed_in = session.sign_in(&tenant, client_id, &credential)?;
    let (environment, companies) = session.environment(&tenant, client_id, arguments.environment, &signed_in)?;
    let company = session.company(&companies, arguments.company, arguments.any_company)?;
    session.permission(&tenant, &environment, company.as_ref().or(companies.first()), &signed_in)?;

    let settings = ConnectionSettings {
        connector: arguments.connector,
        tenant,
        client_id,
        credential,
        environment,
        company,
        listen: arguments.listen,
        authority: arguments.authority,
        base_url: arguments.base_url,
        scope: arguments.scope,
        ca_file: arguments.ca_file.map(absolute).transpose()?,
        outbound_proxy,
    };
    write::write(&session.prompt, file, &settings)
}
