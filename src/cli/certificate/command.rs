//! The options of `bcproxy certificate`, and the order of its work.

use std::path::{Path, PathBuf};

use time::{Duration, OffsetDateTime};

use super::authority::load_or_create;
use super::files::{Access, Files, write};
use super::names::certificate_names;
use super::report::Report;
use crate::cli::common::{Failure, Output};
use crate::tls::{CertificateAuthority, IssuedCertificate};

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
    let folder = arguments.folder.as_deref().or(config.parent()).unwrap_or(Path::new(""));
    let files = Files::in_folder(folder);
    let existing = [&files.server, &files.server_key].into_iter().find(|file| file.exists());
    if let Some(existing) = existing.filter(|_| !arguments.renew) {
        return Err(Failure::Failed(format!(
            "{} already exists. Use --renew to replace the server's certificate and key, or --folder to write to another folder.",
            existing.display()
        )));
    }
    let names = certificate_names(&arguments.names, &files)?;
    let (authority, authority_is_new) = load_or_create(&files, &names)?;
    let lifetime = MAX_LIFETIME.min(authority.expires - OffsetDateTime::now_utc() + Duration::DAY);
    let server = authority
        .issue(names.clone(), lifetime)
        .map_err(|error| Failure::Failed(format!("Creating the certificate failed: {error}.")))?;

    write_all(&files, authority_is_new.then_some(&authority), &server)?;
    let report = Report {
        files,
        names,
        authority_is_new,
        authority_expires: authority.expires.date(),
        server_expires: server.expires.date(),
    };
    match arguments.output {
        Output::Json => println!("{:#}", report.as_json()),
        Output::Text => println!("{}", report.as_text(config)),
    }
    Ok(())
}

/// Writes each key before its certificate, which is useless without the key.
fn write_all(
    files: &Files,
    new_authority: Option<&CertificateAuthority>,
    server: &IssuedCertificate,
) -> Result<(), Failure> {
    if let Some(authority) = new_authority {
        write(&files.authority_key, &authority.private_key(), Access::Owner, false)?;
        write(&files.authority, authority.certificate(), Access::Everybody, false)?;
    }
    write(&files.server_key, &server.private_key, Access::Owner, true)?;
    write(&files.server, &server.certificate, Access::Everybody, true)
}

/// The longest lifetime that macOS and iOS accept from a locally trusted authority.
const MAX_LIFETIME: Duration = Duration::days(825);
