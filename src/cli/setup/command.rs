//! The order of the set-up's steps, from the arguments to the written files.

use std::path::Path;

use anstream::{print, println};

use super::arguments::{Arguments, CredentialInput};
use super::session::Session;
use super::yaml::Connection;
use super::{missing_options, output, target};
use crate::cli::common::{Failure, private_file, runtime};

/// Sets up a connection and writes it to `file`, or prints the Azure CLI commands if only these are wanted.
pub fn setup(file: &Path, mut arguments: Arguments) -> Result<(), Failure> {
    if let Some(shell) = arguments.azure_cli {
        print!("{}", shell.script());
        return Ok(());
    }
    if let Some(listener) = target::listener(file).filter(|_| arguments.listen.is_empty()) {
        println!("The installation chose the listener {listener}. Choose another one with --listen.");
        arguments.listen = vec![listener];
    }
    missing_options::check(&arguments)?;
    let runtime = runtime()?;
    let mut session = Session::new(&runtime, arguments)?;
    private_file::create_default_folder(file)?;
    target::check(file, &session.prompt, session.arguments.overwrite)?;
    if let Some(given) = CredentialInput::given(&session.arguments)? {
        runtime.block_on(given.check())?;
    }

    let tenant = session.tenant()?;
    let client_id = session.application(&tenant)?;
    let credential = session.credential(&tenant, client_id)?;
    let signed_in = session.sign_in(&tenant, client_id, &credential)?;
    let (environment, companies) = session.environment(&signed_in)?;
    let company = session.company(&companies)?;
    session.permission(&environment, company.as_ref().or(companies.first()), &signed_in)?;
    let serving = session.serving(file.parent().unwrap_or(Path::new("")))?;
    output::write(&session, file, &Connection { tenant, client_id, credential, environment, company }, serving)
}
