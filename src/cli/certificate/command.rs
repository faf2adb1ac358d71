//! The options of `bcproxy certificate`, and the names of the certificate.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anstream::println;

use super::files::Files;
use super::issue::{Issued, names_of_this_machine};
use crate::cli::common::{Failure, Output, private_file};
use crate::config::HostName;
use crate::small_file;
use crate::tls::host_names_of;

/// The options of `bcproxy certificate`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Host names and IP addresses in the clients' URLs [default: this machine's name, localhost, 127.0.0.1, ::1].
    names: Vec<String>,
    /// The folder for the files [default: the folder of the configuration file].
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Replace the existing certificate, and keep the authority [default names: those of the existing certificate].
    #[arg(long)]
    renew: bool,
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// Creates the certificate and, if there is none, the authority; `config` is the path of the configuration file.
pub fn certificate(arguments: &Arguments, config: &Path) -> Result<(), Failure> {
    if arguments.folder.is_none() {
        private_file::create_default_folder(config)?;
    }
    let folder = arguments.folder.as_deref().or(config.parent()).unwrap_or(Path::new(""));
    let files = Files::in_folder(folder);
    if let Some(existing) = files.existing().filter(|_| !arguments.renew) {
        return Err(Failure::Failed(format!(
            "{} already exists. Use --renew to replace the server's certificate and key, or --folder to write to another folder.",
            existing.display()
        )));
    }
    let names = certificate_names(&arguments.names, &files)?;
    let written = Issued::new(files, names)?.write()?;
    match arguments.output {
        Output::Json => println!("{:#}", written.as_json()),
        Output::Text => println!("{}", written.as_text(config)),
    }
    Ok(())
}

/// Returns the given names, or those of the existing certificate, or this machine's.
fn certificate_names(given: &[String], files: &Files) -> Result<Vec<String>, Failure> {
    if !given.is_empty() {
        return given.iter().map(|name| host_name(name)).collect();
    }
    if files.server.exists() {
        let existing = small_file::read(&files.server).ok().and_then(|pem| host_names_of(&pem));
        return existing.filter(|names| !names.is_empty()).ok_or_else(|| {
            let message = format!(
                "{} is not a readable certificate, so its host names are unknown. Add them to the command: \
                 bcproxy certificate --renew erp-gw",
                files.server.display()
            );
            Failure::Failed(message)
        });
    }
    Ok(names_of_this_machine())
}

/// Parses a host name or an IP address into the form that a certificate contains.
fn host_name(text: &str) -> Result<String, Failure> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(address.to_string());
    }
    let (wildcard, name) = text.strip_prefix("*.").map_or(("", text), |name| ("*.", name));
    if let Ok(name) = name.parse::<HostName>() {
        return Ok(format!("{wildcard}{name}"));
    }
    Err(Failure::Configuration(format!(
        "{text:?} is neither a host name nor an IP address. Use the part of the clients' URL between https:// and the port, \
         such as erp-gw, erp-gw.contoso.local or 192.168.1.20."
    )))
}
