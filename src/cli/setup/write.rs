//! Writes the files of a new set-up: `proxy.yaml`, and the secret if it was typed.

use std::path::Path;

use super::credential_input::CredentialInput;
use super::prompt::Prompt;
use super::session::Session;
use super::yaml::{Connection, SECRET_FILE, yaml};
use crate::cli::common::{Failure, private_file, rendered};
use crate::config::Config;
use crate::secret::SecretSource;
use crate::small_file;

/// Asks, before any other question, whether an existing file may be replaced.
pub fn confirm_overwrite(Session { prompt, arguments, .. }: &Session<'_>, file: &Path) -> Result<(), Failure> {
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
pub fn write(session: &Session<'_>, file: &Path, connection: &Connection) -> Result<(), Failure> {
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
