//! The order of the set-up's steps, from the arguments to the written files.

use std::path::Path;

use super::arguments::Arguments;
use super::credential_input::CredentialInput;
use super::session::Session;
use super::write;
use super::yaml::Connection;
use crate::cli::common::{Failure, runtime};

/// Sets up a connection and writes it to `file`, or prints the Azure CLI commands if only these are wanted.
pub fn setup(file: &Path, arguments: Arguments) -> Result<(), Failure> {
    if let Some(shell) = arguments.azure_cli {
        print!("{}", shell.script());
        return Ok(());
    }
    let runtime = runtime()?;
    let mut session = Session::new(&runtime, arguments)?;
    write::confirm_overwrite(&session, file)?;

    let tenant = session.tenant()?;
    let client_id = session.application(&tenant)?;
    let credential = match CredentialInput::given(&session.arguments)? {
        Some(credential) => credential,
        None => session.new_credential(&tenant, client_id)?,
    };
    let signed_in = session.sign_in(&tenant, client_id, &credential)?;
    let (environment, companies) = session.environment(&tenant, client_id, &signed_in)?;
    let company = session.company(&companies)?;
    session.permission(&tenant, &environment, company.as_ref().or(companies.first()), &signed_in)?;
    write::write(&session, file, &Connection { tenant, client_id, credential, environment, company })
}
