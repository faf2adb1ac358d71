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
use crate::cli::service;
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
    // Asked before anything is written: Ctrl-C still means that nothing was.
    let question = "Install bcproxy as a service of Windows and start it in the end?";
    let installs = Platform::THIS == Platform::Windows && prompt.confirm(question, true, false)?;

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
    println!("{}", next_steps(Platform::THIS, &file, &loaded.config, &serving.names, certificate.as_ref()));
    if installs {
        println!();
        service::install_and_start(&file).map_err(not_installed)?;
    }
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

/// The failure to install the service, after the configuration was written.
fn not_installed(failure: Failure) -> Failure {
    let (Failure::Configuration(text) | Failure::Failed(text)) = failure;
    Failure::Failed(format!(
        "The configuration was written, but the service does not run. {text}\nTo try again: bcproxy service install --start"
    ))
}

/// The commands and addresses to go on with.
fn next_steps(
    platform: Platform,
    file: &Path,
    config: &Config,
    names: &[String],
    certificate: Option<&Written>,
) -> String {
    let option = if file == config::default_file() { String::new() } else { format!(" --config {}", file.display()) };
    let url = |listener: &Listener| {
        let (scheme, address) = (listener.scheme(), listener.address);
        match names.first().filter(|_| address.ip().is_unspecified()) {
            Some(name) => format!("{scheme}://{}:{}", in_url(name), address.port()),
            None => format!("{scheme}://{address}"),
        }
    };
    let urls: Vec<String> = config.listen.iter().map(url).collect();
    let mut lines = vec!["Next:".to_owned(), format!("  bcproxy doctor{option}    checks every set-up step again")];
    if platform == Platform::Windows {
        lines.push(format!("  bcproxy service install --start{option}    runs it as a service, as an administrator"));
    }
    lines.push(format!("  bcproxy{option}           serves on {}", urls.join(", ")));
    let trusted = certificate.map(|written| format!("--cacert {} ", written.files.authority.display()));
    if let Some(url) = urls.first() {
        let trusted = trusted.unwrap_or_default();
        lines.push(format!("  curl {trusted}{url}/api/companies    a first request, in another terminal"));
    }
    if let Some(certificate) = certificate {
        lines.extend([String::new(), certificate.renewal()]);
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_windows_the_next_steps_have_the_service() {
        let text = "connectors: { one: { tenant_id: contoso.com, client_id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301, \
                    client_secret: { file: secret.txt } } }\nlisten: 127.0.0.1:7048\n";
        let file = Path::new("other.yaml");
        let config = Config::from_yaml(text, file).unwrap().config;
        let on = |platform| next_steps(platform, file, &config, &[], None);
        let service = "  bcproxy service install --start --config other.yaml    ";
        assert!(on(Platform::Windows).contains(service), "{}", on(Platform::Windows));
        assert!(!on(Platform::Other).contains("service"));
        assert!(on(Platform::Other).contains("http://127.0.0.1:7048/api/companies"));
    }
}
