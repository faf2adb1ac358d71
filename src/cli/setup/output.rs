//! Writing what the set-up found: the certificate, the secret and the configuration, and what to do next.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use anstream::{eprintln, println};

use super::prompt::Prompt;
use super::serving_steps::{Certificate, Serving};
use super::session::Session;
use super::target;
use super::yaml::{Connection, yaml};
use crate::cli::certificate::{Written, in_url, trust};
use crate::cli::common::{Failure, private_file, rendered};
use crate::config::{Config, Listener};
use crate::secret::Secret;
use crate::small_file;

/// Asks what has to be asked about existing files, then writes all files and prints the next commands.
pub fn write(session: &Session<'_>, file: &Path, connection: &Connection, serving: Serving) -> Result<(), Failure> {
    let Session { prompt, arguments, .. } = session;
    let secret = match connection.credential.typed_secret() {
        Some(secret) => Some((secret_file(file, secret, prompt, arguments.overwrite)?, secret)),
        None => None,
    };
    let secret_name = secret.as_ref().and_then(|(path, _)| path.file_name()).unwrap_or_default();
    let text = yaml(arguments, connection, &serving, Path::new(secret_name))?;
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
    if let Some((path, secret)) = &secret {
        write_secret(path, secret)?;
    }
    std::fs::write(&file, text).map_err(|error| failed(&file, &error))?;
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

/// Returns the file for a typed secret. One that holds another secret is replaced only after a yes.
fn secret_file(file: &Path, secret: &Secret, prompt: &Prompt, overwrite: bool) -> Result<PathBuf, Failure> {
    let path = file.with_file_name(SECRET_FILE);
    let holds_it = || small_file::read(&path).is_ok_and(|bytes| bytes.trim_ascii() == secret.expose().as_bytes());
    if overwrite || !path.exists() || holds_it() {
        return Ok(path);
    }
    let other = path.with_file_name(target::free_name(&path));
    let question = format!(
        "{} exists and holds another secret. Replace it? If not, the new secret goes to {}.",
        path.display(),
        other.display()
    );
    Ok(if prompt.confirm(&question, false, false)? { path } else { other })
}

fn write_secret(path: &Path, secret: &Secret) -> Result<(), Failure> {
    let written = private_file::write(small_file::folder(path), secret.expose().as_bytes());
    let written = written.map_err(|error| failed(path, &error))?;
    written.persist(path).map_err(|error| failed(path, &error))?;
    println!("Wrote {} (the client secret; {})", path.display(), private_file::readers(path));
    Ok(())
}

fn failed(file: &Path, error: &dyn Display) -> Failure {
    not_written(Failure::Failed(format!("Writing {} failed: {error}.", file.display())))
}

/// The failure to write a file before the configuration, or the configuration itself.
fn not_written(failure: Failure) -> Failure {
    let (Failure::Configuration(text) | Failure::Failed(text)) = failure;
    Failure::Failed(format!("The configuration was not written. {text}"))
}

/// Prints the commands and addresses to go on with.
fn print_next(file: &Path, config: &Config, names: &[String], certificate: Option<&Written>) {
    let option = if file == Path::new("proxy.yaml") { String::new() } else { format!(" --config {}", file.display()) };
    let url = |listener: &Listener| {
        let (scheme, address) = (listener.scheme(), listener.address);
        match names.first().filter(|_| address.ip().is_unspecified()) {
            Some(name) => format!("{scheme}://{}:{}", in_url(name), address.port()),
            None => format!("{scheme}://{address}"),
        }
    };
    let urls: Vec<String> = config.listen.iter().map(url).collect();
    println!("Next:\n  bcproxy doctor{option}    checks every set-up step again");
    println!("  bcproxy{option}           serves on {}", urls.join(", "));
    let trusted = certificate.map(|written| format!("--cacert {} ", written.files.authority.display()));
    if let Some(url) = urls.first() {
        println!("  curl {}{url}/api/companies    a first request, in another terminal", trusted.unwrap_or_default());
    }
    if let Some(certificate) = certificate {
        println!("\n{}", certificate.renewal());
    }
}

/// The file for a typed secret, in the folder of the configuration.
const SECRET_FILE: &str = "client-secret.txt";
