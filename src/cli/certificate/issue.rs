//! A new certificate, and the authority that signs it: first in memory, then in files.

use std::path::PathBuf;

use time::{Date, Duration, OffsetDateTime};

use super::authority::load_or_create;
use super::files::{Files, public_file, write};
use crate::cli::common::{Failure, private_file};
use crate::config::HostName;
use crate::tls::{CertificateAuthority, IssuedCertificate};

/// A certificate that is not yet written.
pub struct Issued {
    /// Where the certificate, the authority and their keys go.
    pub files: Files,
    /// The names that the certificate is for.
    pub names: Vec<String>,
    authority: CertificateAuthority,
    authority_is_new: bool,
    server: IssuedCertificate,
}

/// What was written.
pub struct Written {
    pub files: Files,
    pub names: Vec<String>,
    pub authority_is_new: bool,
    pub authority_expires: Date,
    pub server_expires: Date,
}

impl Issued {
    /// Issues a certificate for these names, signed by the authority in `files` or, if there is none, by a new one.
    pub fn new(files: Files, names: Vec<String>) -> Result<Self, Failure> {
        let (authority, authority_is_new) = load_or_create(&files, &names)?;
        let lifetime = MAX_LIFETIME.min(authority.expires - OffsetDateTime::now_utc() + Duration::DAY);
        let server = authority
            .issue(names.clone(), lifetime)
            .map_err(|error| Failure::Failed(format!("Creating the certificate failed: {error}.")))?;
        if !server.is_trusted_by(&authority) {
            return Err(Failure::Failed(format!(
                "The authority in {} is not for all of these names: {}. It is for the names it was created with. Use those, or create \
                 a new authority elsewhere with --folder, and install it on the clients.",
                files.authority.display(),
                names.join(", ")
            )));
        }
        Ok(Self { files, names, authority, authority_is_new, server })
    }

    /// Writes each key before its certificate, which is useless without the key.
    pub fn write(self) -> Result<Written, Failure> {
        let Self { files, names, authority, authority_is_new, server } = self;
        if authority_is_new {
            write(&files.authority_key, &authority.private_key(), private_file::write, false)?;
            write(&files.authority, authority.certificate(), public_file, false)?;
        }
        write(&files.server_key, &server.private_key, private_file::write_for_service, true)?;
        write(&files.server, &server.certificate, public_file, true)?;
        let (authority_expires, server_expires) = (authority.expires.date(), server.expires.date());
        Ok(Written { files, names, authority_is_new, authority_expires, server_expires })
    }
}

impl Files {
    /// The certificate or its key, if one of them exists.
    pub fn existing(&self) -> Option<&PathBuf> {
        [&self.server, &self.server_key].into_iter().find(|file| file.exists())
    }
}

/// The names by which clients on this machine, and often others, call it.
pub fn names_of_this_machine() -> Vec<String> {
    let this_machine = HostName::of_this_machine().map(|name| name.to_string());
    let local = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut names: Vec<String> = this_machine.into_iter().chain(local).collect();
    names.dedup();
    names
}

/// The longest lifetime that macOS and iOS accept from a locally trusted authority.
const MAX_LIFETIME: Duration = Duration::days(825);
