//! Checks of the files that listeners need: their certificates, and what certificates of clients are verified with.
//!
//! These messages quote no value of the file, which may be a secret pasted in place of a path.

use std::path::PathBuf;

use time::{Duration, OffsetDateTime};

use super::permissions::{Protection, check_permissions};
use crate::config::shape::At;
use crate::config::vocabulary::ListenerTlsKeys;
use crate::config::yaml::Report;
use crate::tls::{CertificatePart, ClientVerifier, ServerCertificate};

/// Checks that the certificate of a listener and its key belong together and are valid now.
pub fn check_identity(certificate: Option<&At<PathBuf>>, private_key: Option<&At<PathBuf>>, report: &mut Report) {
    let (Some(certificate), Some(private_key)) = (certificate, private_key) else { return };
    check_permissions(&certificate.value, Protection::Unchanged, Some(certificate.span), report);
    check_permissions(&private_key.value, Protection::Secret, Some(private_key.span), report);
    let identity = match ServerCertificate::read(&certificate.value, &private_key.value) {
        Ok(identity) => identity,
        Err(error) => {
            let span = match error.part() {
                CertificatePart::Certificate => certificate.span,
                CertificatePart::PrivateKey => private_key.span,
            };
            return report.error(span, format!("the file named here {error}"), error.help());
        }
    };
    let left = identity.expires - OffsetDateTime::now_utc();
    let day = identity.expires.date();
    let message = if left.is_negative() {
        format!("this certificate has expired on {day}: clients reject it")
    } else if left < EXPIRES_SOON {
        format!("this certificate expires on {day}: clients will reject it then")
    } else {
        return;
    };
    let help =
        "renew it: bcproxy reads the new file without a restart. `bcproxy certificate --renew` renews one of its own";
    report.warning(certificate.span, message, help);
}

/// Checks the files by which the certificates of clients are verified.
pub fn check_authority(tls: &ListenerTlsKeys, report: &mut Report) {
    let Some(authority) = &tls.client_ca else { return };
    let lists = tls.client_crl.as_ref();
    for path in [Some(authority), lists].into_iter().flatten() {
        check_permissions(&path.value, Protection::Unchanged, Some(path.span), report);
    }
    if let Err(error) = ClientVerifier::read(&authority.value, lists.map(|path| path.value.as_path())) {
        let span = match (error.is_about_revocation(), lists) {
            (true, Some(lists)) => lists.span,
            _ => authority.span,
        };
        report.error(span, format!("the file named here {error}"), error.help());
    }
}

/// The remaining validity from which the check warns: enough time to get a new certificate.
const EXPIRES_SOON: Duration = Duration::days(30);
