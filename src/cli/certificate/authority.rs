//! Loads or creates the certificate authority.

use std::path::Path;

use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use super::files::Files;
use crate::cli::common::Failure;
use crate::small_file;
use crate::tls::{CertificateAuthority, CertificatePart};

/// Loads the folder's authority, or creates one if there is none; `true` if it is new.
///
/// `names` are those of the server's certificate. A new authority is for them only; the first one becomes part of its
/// name.
pub fn load_or_create(files: &Files, names: &[String]) -> Result<(CertificateAuthority, bool), Failure> {
    match (files.authority.exists(), files.authority_key.exists()) {
        (false, false) => return create(names).map(|authority| (authority, true)),
        (true, true) => {}
        (true, false) => return Err(incomplete(&files.authority, &files.authority_key)),
        (false, true) => return Err(incomplete(&files.authority_key, &files.authority)),
    }
    let authority = CertificateAuthority::from_pem(&read(&files.authority)?, &read(&files.authority_key)?);
    let authority = authority.map_err(|wrong| {
        let (file, problem) = match wrong {
            CertificatePart::Certificate => (&files.authority, "it holds no PEM certificate of an authority"),
            CertificatePart::PrivateKey => {
                (&files.authority_key, "it does not hold the authority's private key in PEM form")
            }
        };
        Failure::Failed(format!(
            "{}: {problem}. Restore the right file, or create a new authority elsewhere with --folder.",
            file.display()
        ))
    })?;
    if authority.expires <= OffsetDateTime::now_utc() {
        return Err(Failure::Failed(format!(
            "The authority in {} has expired on {}. Create a new one elsewhere with --folder, and install it on the clients.",
            files.authority.display(),
            authority.expires.date()
        )));
    }
    Ok((authority, false))
}

fn create(names: &[String]) -> Result<CertificateAuthority, Failure> {
    let first = names.first().map_or("", String::as_str);
    // Clients report an authority with a known name but another key as a confusing error, so each gets its own name.
    let name = format!("bcproxy CA for {first}, made {}", OffsetDateTime::now_utc().date());
    CertificateAuthority::new(&name, names, LIFETIME)
        .map_err(|error| Failure::Failed(format!("Creating the certificate authority failed: {error}.")))
}

fn incomplete(present: &Path, missing: &Path) -> Failure {
    Failure::Failed(format!(
        "{} exists, but {} is missing. Restore it from your backup, and clients will trust the new certificate without any change. \
         Or create a new authority elsewhere with --folder.",
        present.display(),
        missing.display()
    ))
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    small_file::read(path)
        .map_err(|error| Failure::Failed(format!("Reading {} failed: {}.", path.display(), small_file::reason(&error))))
}

/// Ten years, because every client needs a change when the authority expires.
const LIFETIME: Duration = Duration::days(3650);
