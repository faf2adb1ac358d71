//! The order of the set-up's steps, from the arguments to the written files.

use std::path::Path;

use super::arguments::{Arguments, CredentialInput};
use super::prompt::Prompt;
use super::session::Session;
use super::yaml::{Connection, SECRET_FILE, yaml};
use crate::cli::common::{Failure, private_file, rendered, runtime};
use crate::config::Config;
use crate::secret::SecretSource;
use crate::small_file;

/// Sets up a connection and writes it to `file`, or prints the Azure CLI commands if only these are wanted.
pub fn setup(file: &Path, arguments: Arguments) -> Result<(), Failure> {
    if let Some(shell) = arguments.azure_cli {
        print!("{}", shell.script());
        return Ok(());
    }
    let runtime = runtime()?;
    let mut session = Session::new(&runtime, arguments)?;
    confirm_overwrite(&session, file)?;

    let tenant = session.tenant()?;
    let client_id = session.application(&tenant)?;
    let credential = match CredentialInput::given(&session.arguments)? {
        Some(credential) => credential,
        None => session.new_credential(&tenant, client_id)?,
    };
    let signed_in = session.sign_in(&tenant, client_id, &credential)?;
    let (environment, companies) = session.environment(&signed_in)?;
    let company = session.company(&companies)?;
    session.permission(&environment, company.as_ref().or(companies.first()), &signed_in)?;
    write(&session, file, &Connection { tenant, client_id, credential, environment, company })
}

/// Asks, before any other question, whether an existing file may be replaced.
fn confirm_overwrite(Session { prompt, arguments, .. }: &Session<'_>, file: &Path) -> Result<(), Failure> {
    if arguments.overwrite || !file.exists() || confirm_replacement(prompt, file)? {
        return Ok(());
    }
    let overwrite = if prompt.is_interactive { "" } else { ", or replace it with --overwrite" };
    Err(Failure::Failed(format!(
        "Nothing was written: {} already exists. Name another file with --config{overwrite}.",
        file.display()
    )))
}

fn confirm_replacement(prompt: &Prompt, file: &Path) -> Result<bool, Failure> {
    prompt.confirm(&format!("{} already exists. Replace it?", file.display()), false, false)
}

/// Writes the secret, then the configuration, and prints the next commands.
fn write(session: &Session<'_>, file: &Path, connection: &Connection) -> Result<(), Failure> {
    let Session { prompt, arguments, .. } = session;
    let text = yaml(arguments, connection)?;
    Config::from_yaml(&text, file).map_err(|mistakes| Failure::Configuration(rendered(&mistakes)))?;
    let failed = |file: &Path, error: &dyn std::fmt::Display| {
        Failure::Failed(format!("Writing {} failed: {error}.", file.display()))
    };
    if let CredentialInput::Secret(SecretSource::Given(secret)) = &connection.credential {
        let path = small_file::folder(file).join(SECRET_FILE);
        if path.exists() && !confirm_replacement(prompt, &path)? {
            return Err(Failure::Failed(format!("Nothing was written: {} already exists.", path.display())));
        }
        let written = private_file::write(small_file::folder(file), secret.expose().as_bytes());
        let secret = written.map_err(|error| failed(&path, &error))?;
        secret.persist(&path).map_err(|error| failed(&path, &error))?;
        println!("Wrote {} (the client secret; {})", path.display(), private_file::readers(&path));
    }
    std::fs::write(file, text).map_err(|error| failed(file, &error))?;
    println!("Wrote {}\n", file.display());
    let option = if file == Path::new("proxy.yaml") { String::new() } else { format!(" --config {}", file.display()) };
    println!(
        "Next:\n  bcproxy doctor{option}    checks every set-up step again\n  bcproxy{option}           serves on http://{}",
        arguments.listen
    );
    Ok(())
}
