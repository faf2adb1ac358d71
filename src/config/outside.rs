//! What the file refers to outside itself: are the secrets and certificates where it says?
//!
//! No value of the file appears in these messages: whoever pastes a secret in place of a path must not see it in a log.

use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use zeroize::Zeroizing;

use super::report::Report;
use super::shape::At;
use super::source::Span;
use super::vocabulary::{self as file, Secret};

/// The largest file that is read, in bytes: room for some thousand connectors, and more than any secret or bundle of certificates has.
pub const LARGEST_FILE: usize = 1024 * 1024;

/// Looks at every variable and file that is named. Commands are not run.
pub fn check(file: &file::File, folder: &Path, report: &mut Report) {
    let connectors = file.connectors.iter().flat_map(|connectors| &connectors.value.0);
    for connector in connectors.filter_map(|(_, connector)| connector.as_ref()) {
        if report.is_full() {
            return;
        }
        let secrets = connector.client_secret.iter().flat_map(|list| &list.value.0);
        secrets.for_each(|secret| check_secret(&secret.value, folder, report));
        if let Some(At { value: path, span, .. }) = &connector.ca_file {
            check_certificates(&folder.join(path), *span, report);
        }
    }
}

/// Reads a whole file of at most [`LARGEST_FILE`] bytes.
pub fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path)?.take(LARGEST_FILE as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > LARGEST_FILE {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

/// Why a file can't be read, in a sentence that fits behind a colon.
pub fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "it does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "the account bcproxy runs under may not read it".to_owned(),
        io::ErrorKind::FileTooLarge => "it is larger than 1 MiB".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        // The kind's own words are fixed; those of the error may hold more.
        kind => kind.to_string(),
    }
}

fn check_secret(secret: &Secret, folder: &Path, report: &mut Report) {
    match secret {
        Secret::Env(name, span) => {
            let help = "set it for the account bcproxy runs under, and start bcproxy again; a variable set in a terminal holds there only";
            match env::var_os(&name.0).map(|value| Zeroizing::new(value.into_encoded_bytes())) {
                None => report.error(*span, "the environment variable named here is not set", help),
                Some(value) if value.trim_ascii().is_empty() => {
                    report.error(*span, "the environment variable named here is empty", help);
                }
                Some(value) if str::from_utf8(&value).is_err() => {
                    report.error(*span, "the environment variable named here is not text", help);
                }
                Some(_) => {}
            }
        }
        Secret::File(path, span) => {
            let help = "write the client secret's value into that file; its path is relative to the folder of this configuration file";
            match read(&folder.join(path)) {
                Err(error) => {
                    report.error(*span, format!("the file named here can't be read: {}", reason(&error)), help);
                }
                Ok(value) if value.trim_ascii().is_empty() => report.error(*span, "the file named here is empty", help),
                Ok(value) if str::from_utf8(&value).is_err() => {
                    report.error(*span, "the file named here is not plain text (UTF-8)", help);
                }
                Ok(_) => {}
            }
        }
        Secret::Command(_) => {}
    }
}

fn check_certificates(path: &Path, span: Span, report: &mut Report) {
    let help = "it must hold certificates in PEM form (-----BEGIN CERTIFICATE-----); \
                its path is relative to the folder of this configuration file";
    let count = match read(path) {
        Err(error) => {
            return report.error(span, format!("the file named here can't be read: {}", reason(&error)), help);
        }
        Ok(bytes) => CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>().map(|all| all.len()),
    };
    match count {
        Err(_) => report.error(span, "the file named here holds a damaged certificate", help),
        Ok(0) => report.error(span, "the file named here holds no certificate", help),
        Ok(_) => {}
    }
}
