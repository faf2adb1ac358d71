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
    println!("{}", next_steps(Runner::of(&file), &file, &loaded.config, &serving.names, certificate.as_ref()));
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

/// How bcproxy will run with the written file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Runner {
    /// The service of the packages, by systemd.
    Systemd,
    /// A service of Windows, or a command.
    Windows,
    /// A command.
    Command,
}

impl Runner {
    fn of(file: &Path) -> Self {
        match Platform::THIS {
            Platform::Windows => Self::Windows,
            Platform::Other if config::packaged_file() == Some(file) && systemd_runs() => Self::Systemd,
            Platform::Other => Self::Command,
        }
    }
}

#[cfg(unix)]
fn systemd_runs() -> bool {
    sd_notify::booted().unwrap_or_default()
}

#[cfg(not(unix))]
fn systemd_runs() -> bool {
    false
}

/// The commands and addresses to go on with.
fn next_steps(runner: Runner, file: &Path, config: &Config, names: &[String], certificate: Option<&Written>) -> String {
    let option = if file == config::default_file() { String::new() } else { format!(" --config {}", file.display()) };
    let url = |listener: &Listener| {
        let (scheme, address) = (listener.scheme(), listener.address);
        match names.first().filter(|_| address.ip().is_unspecified()) {
            Some(name) => format!("{scheme}://{}:{}", in_url(name), address.port()),
            None => format!("{scheme}://{address}"),
        }
    };
    let urls: Vec<String> = config.listen.iter().map(url).collect();
    let mut lines = vec!["Next:".to_owned()];
    if runner == Runner::Systemd {
        lines.push(
            "  sudo -u bcproxy bcproxy doctor          checks every set-up step again, as the service".to_owned(),
        );
        lines.push(format!(
            "  sudo systemctl enable --now bcproxy     serves on {}, also after a reboot",
            urls.join(", ")
        ));
    } else {
        lines.push(format!("  bcproxy doctor{option}    checks every set-up step again"));
    }
    if runner == Runner::Windows {
        lines.push(format!("  bcproxy service install --start{option}    runs it as a service, as an administrator"));
    }
    if runner != Runner::Systemd {
        lines.push(format!("  bcproxy{option}           serves on {}", urls.join(", ")));
    }
    let trusted = certificate.map(|written| format!("--cacert {} ", written.files.authority.display()));
    if let Some(url) = urls.first() {
        let trusted = trusted.unwrap_or_default();
        let terminal = if runner == Runner::Systemd { "" } else { ", in another terminal" };
        lines.push(format!("  curl {trusted}{url}/api/companies    a first request{terminal}"));
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
    fn the_next_steps_are_those_of_the_service() {
        let text = "connectors: { one: { tenant_id: contoso.com, client_id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301, \
                    client_secret: { file: secret.txt } } }\nlisten: 127.0.0.1:7048\n";
        let file = Path::new("other.yaml");
        let config = Config::from_yaml(text, file).unwrap().config;
        let with = |runner| next_steps(runner, file, &config, &[], None);
        let on_windows = with(Runner::Windows);
        assert!(on_windows.contains("  bcproxy service install --start --config other.yaml    "), "{on_windows}");
        let as_command = with(Runner::Command);
        assert!(
            !as_command.contains("service") && as_command.contains("  bcproxy --config other.yaml "),
            "{as_command}"
        );
        assert!(as_command.contains("http://127.0.0.1:7048/api/companies"), "{as_command}");
        let under_systemd = with(Runner::Systemd);
        for part in ["sudo -u bcproxy bcproxy doctor ", "systemctl enable --now bcproxy ", ":7048/api/companies"] {
            assert!(under_systemd.contains(part), "{under_systemd}");
        }
        assert!(!under_systemd.contains("--config") && !under_systemd.contains("terminal"), "{under_systemd}");
        assert_eq!(Runner::of(file) == Runner::Windows, cfg!(windows));
    }
}
