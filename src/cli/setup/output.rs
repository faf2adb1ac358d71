//! Writing what the set-up found: the certificate, the secret and the configuration, and what to do next.

use std::fmt::Display;
use std::path::Path;

use anstream::{eprintln, println};

use super::client_secret::{Platform, SecretTarget};
use super::serving_steps::{Certificate, Serving};
use super::session::Session;
use super::target;
use super::yaml::{Connection, yaml};
use crate::cli::certificate::{Written, in_url, trust};
use crate::cli::common::{Failure, rendered};
use crate::config::{self, Config, Listener};

/// Asks what has to be asked about existing files, then writes all files and prints the next commands.
pub fn write(session: &Session<'_>, file: &Path, connection: &Connection, serving: Serving) -> Result<(), Failure> {
    let Session { prompt, arguments, .. } = session;
    let secret = match connection.credential.typed_secret() {
        Some(secret) => {
            let target = SecretTarget::choose(Platform::THIS, file, secret, prompt, arguments.overwrite)?;
            Some((target, secret))
        }
        None => None,
    };
    let text = yaml(arguments, connection, &serving, secret.as_ref().map(|(target, _)| target))?;
    Config::from_yaml(&text, file)
        .map_err(|mistakes| Failure::Configuration(format!("{}\nNothing was written.", rendered(&mistakes))))?;
    let file = target::choose(file, &text, prompt, arguments.overwrite)?;

    println!();
    let certificate = match serving.certificate {
        Some(Certificate::New(issued)) => Some(issued.write().map_err(not_written)?),
        Some(Certificate::Existing(..)) | None => None,
    };
    if let Some(written) = &certificate {
        println!("{}\n", written.created());
    }
    if let Some((target, secret)) = &secret {
        target.write(secret).map_err(not_written)?;
    }
    std::fs::write(&file, text).map_err(|error| not_written(failed(&file, &error)))?;
    println!("Wrote {}\n", file.display());
    let loaded = Config::load(&file).map_err(|mistakes| Failure::Configuration(rendered(&mistakes)))?;
    if !loaded.warnings.is_empty() {
        eprintln!("{}", rendered(&loaded.warnings));
    }
    if let Some(Written { files, .. }) = &certificate {
        println!("{}\n", trust(&files.authority));
    }
    print_next(&file, &loaded.config, &serving.names, certificate.as_ref());
    Ok(())
}

/// The failure to write a file.
pub fn failed(file: &Path, error: &dyn Display) -> Failure {
    Failure::Failed(format!("Writing {} failed: {error}.", file.display()))
}

/// The failure to write a file before the configuration, or the configuration itself.
fn not_written(failure: Failure) -> Failure {
    let (Failure::Configuration(text) | Failure::Failed(text)) = failure;
    Failure::Failed(format!("The configuration was not written. {text}"))
}

/// Prints the commands and addresses to go on with.
fn print_next(file: &Path, config: &Config, names: &[String], certificate: Option<&Written>) {
    let option = if file == config::default_file() { String::new() } else { format!(" --config {}", file.display()) };
    let url = |listener: &Listener| {
        let (scheme, address) = (listener.scheme(), listener.address);
        match names.first().filter(|_| address.ip().is_unspecified()) {
            Some(name) => format!("{scheme}://{}:{}", in_url(name), address.port()),
            None => format!("{scheme}://{address}"),
        }
    };
    let urls: Vec<String> = config.listen.iter().map(url).collect();
    println!("Next:\n  bcproxy doctor{option}    checks every set-up step again");
    if Platform::THIS == Platform::Windows {
        println!("  bcproxy service install --start{option}    runs it as a service, as an administrator");
    }
    println!("  bcproxy{option}           serves on {}", urls.join(", "));
    let trusted = certificate.map(|written| format!("--cacert {} ", written.files.authority.display()));
    if let Some(url) = urls.first() {
        println!("  curl {}{url}/api/companies    a first request, in another terminal", trusted.unwrap_or_default());
    }
    if let Some(certificate) = certificate {
        println!("\n{}", certificate.renewal());
    }
}
