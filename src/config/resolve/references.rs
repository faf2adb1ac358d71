//! What the file refers to outside itself: are the secrets and certificates where it says?
//!
//! No value of the file appears in these messages: whoever pastes a secret in place of a path must not see it in a log.

use std::env;
use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::locations::certificate_files;
use crate::config::shape::read::At;
use crate::config::vocabulary::credentials::ClientCertificateKeys;
use crate::config::vocabulary::listener::ListenerTlsKeys;
use crate::config::vocabulary::outbound_proxy::OutboundProxyKey;
use crate::config::vocabulary::secret::{Secret, SecretLocation};
use crate::config::vocabulary::top_level::TopLevelKeys;
use crate::config::yaml::report::Report;
use crate::config::yaml::source::Span;
use crate::entra::{CertificateProblem, CredentialExpiry};
use crate::outbound::{self, EnvironmentError, ProxySelector};
use crate::small_file;
use crate::tls::{CertificatePart, ServerCertificate};

/// Looks at every variable and file that is named. Commands are not run.
pub fn check(file: &TopLevelKeys, folder: &Path, report: &mut Report) {
    for listen in file.listen.iter().flat_map(|listen| &listen.value.0) {
        if let Some(tls) = &listen.value.tls {
            check_identity(&tls.value, folder, report);
        }
    }
    check_environment(file, report);
    let connectors = file.connectors.iter().flat_map(|connectors| &connectors.value.0);
    for connector in connectors.filter_map(|(_, connector)| connector.as_ref()) {
        if report.is_full() {
            return;
        }
        let others = connector.applications.iter().flat_map(|applications| &applications.value);
        let lists = connector.client_secret.iter().chain(others.filter_map(|other| other.value.client_secret.as_ref()));
        let secrets = lists.flat_map(|list| &list.value.0);
        secrets.for_each(|secret| check_secret(&secret.value, folder, report));
        let others = connector.applications.iter().flat_map(|applications| &applications.value);
        let certificates = others.clone().filter_map(|other| other.value.client_certificate.as_ref());
        for files in connector.client_certificate.iter().chain(certificates) {
            check_pair(&files.value, folder, report);
        }
        let tokens = others.filter_map(|other| other.value.federated_token.as_ref());
        for At { value: token, .. } in connector.federated_token.iter().chain(tokens) {
            if let Some(path) = &token.file
                && let Err(error) = small_file::read(&folder.join(&path.value))
            {
                let help = "look whether whatever keeps the token fresh has written it; its path is relative to the folder of this configuration file";
                let reason = small_file::reason(&error);
                report.error(path.span, format!("the file named here can't be read: {reason}"), help);
            }
        }
        if let Some(At { value: path, span, .. }) = &connector.ca_file {
            check_certificates(&folder.join(path), *span, report);
        }
        if let Some(At { value: OutboundProxyKey::Server(server), .. }) = &connector.outbound_proxy
            && let Some(place) = server.password.as_ref().and_then(|password| password.value.0.as_ref())
        {
            check_secret_location(place, "password", folder, report);
        }
    }
}

fn check_secret(secret: &Secret, folder: &Path, report: &mut Report) {
    if let Some(day) = &secret.expires {
        warn_of_end(day.value, day.span, report);
    }
    if let Some((value, span)) = check_secret_location(&secret.location, "client secret's value", folder, report) {
        warn_of_id(&value, span, report);
    }
}

/// The outbound proxy of the environment, where a connector goes by it.
fn check_environment(file: &TopLevelKeys, report: &mut Report) {
    let connectors = file.connectors.iter().flat_map(|connectors| &connectors.value.0);
    let mut by_environment = connectors
        .filter(|(_, connector)| connector.as_ref().is_some_and(|connector| connector.outbound_proxy.is_none()));
    if let Some((name, _)) = by_environment.next()
        && let Err(EnvironmentError { variable, problem }) =
            ProxySelector::new(&outbound::OutboundProxy::FromEnvironment)
    {
        let message = format!(
            "this connector goes by the environment's outbound proxy, and {variable} names none that can be used"
        );
        let help = format!("{problem}; or set `outbound_proxy` here, which goes before the variable (`off`: no proxy)");
        report.error(name.span, message, help);
    }
}

/// What is kept there, if that can be seen and used.
fn check_secret_location(
    place: &SecretLocation,
    what: &str,
    folder: &Path,
    report: &mut Report,
) -> Option<(Zeroizing<Vec<u8>>, Span)> {
    match place {
        SecretLocation::Env(name, span) => {
            let help = "set it for the account bcproxy runs under, and start bcproxy again; a variable set in a terminal holds there only";
            match env::var_os(&name.0).map(|value| Zeroizing::new(value.into_encoded_bytes())) {
                None => report.error(*span, "the environment variable named here is not set", help),
                Some(value) if value.trim_ascii().is_empty() => {
                    report.error(*span, "the environment variable named here is empty", help);
                }
                Some(value) if small_file::text(&value).is_none() => {
                    report.error(*span, "the environment variable named here is not text", help);
                }
                Some(value) => return Some((value, *span)),
            }
        }
        SecretLocation::File(path, span) => {
            let help = format!(
                "write the {what} into that file; its path is relative to the folder of this configuration file"
            );
            match small_file::read(&folder.join(path)) {
                Err(error) => {
                    report.error(
                        *span,
                        format!("the file named here can't be read: {}", small_file::reason(&error)),
                        help,
                    );
                }
                Ok(value) if value.trim_ascii().is_empty() => report.error(*span, "the file named here is empty", help),
                Ok(value) if small_file::text(&value).is_none() => {
                    report.error(*span, "the file named here is not plain text (UTF-8)", help);
                }
                Ok(value) => return Some((value, *span)),
            }
        }
        SecretLocation::Command(_) => {}
    }
    None
}

/// The ID of a secret is shown for ever, its value only once.
fn warn_of_id(value: &[u8], span: Span, report: &mut Report) {
    if Uuid::try_parse_ascii(value.trim_ascii()).is_ok() {
        report.warning(
            span,
            "what is kept there has the form of a Secret ID",
            "Entra wants the secret's Value, which it shows only when the secret is made; if it is lost, make a new one",
        );
    }
}

fn warn_of_end(last_day: time::Date, span: Span, report: &mut Report) {
    if let Some(expiry) = CredentialExpiry::soon(last_day, OffsetDateTime::now_utc().date()) {
        report.warning(span, expiry.to_string(), "until then everything works");
    }
}

/// Whether a certificate and its key belong together and can be used now.
fn check_pair(files: &ClientCertificateKeys, folder: &Path, report: &mut Report) {
    let (Some(certificate), Some(paths)) = (&files.certificate, certificate_files(files, folder)) else { return };
    let key_span = files.private_key.as_ref().map_or(certificate.span, |key| key.span);
    let help = "it must be a file in PEM form; its path is relative to the folder of this configuration file";
    let mut contents = |path: &Path, span: Span| {
        let content = small_file::read(path);
        content.map_err(|error| {
            report.error(span, format!("the file named here can't be read: {}", small_file::reason(&error)), help)
        })
    };
    let first = contents(&paths.certificate, certificate.span);
    let second = paths.private_key.as_deref().map(|path| contents(path, key_span)).transpose();
    let (Ok(first), Ok(second)) = (first, second) else { return };
    let span_of = |problem: &CertificateProblem| if problem.is_about_the_key() { key_span } else { certificate.span };
    match paths.pair(&first, second.as_ref().map(|key| key.as_slice())) {
        Err(error) => report.error(span_of(&error.problem), format!("the file named here {}", error.problem), help),
        Ok(pair) => {
            if let Err(error) = paths.check_validity(&pair, OffsetDateTime::now_utc()) {
                report.warning(
                    certificate.span,
                    format!("the file named here {}", error.problem),
                    "no token can be had with it",
                );
            } else {
                warn_of_end(pair.last_day(), certificate.span, report);
            }
        }
    }
}

fn check_identity(tls: &ListenerTlsKeys, folder: &Path, report: &mut Report) {
    let (Some(certificate), Some(private_key)) = (&tls.certificate, &tls.private_key) else { return };
    let identity = match ServerCertificate::read(&folder.join(&certificate.value), &folder.join(&private_key.value)) {
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
    let help = "renew it and start bcproxy again; one that `bcproxy certificate` made is renewed by the same command with --renew";
    if left.is_negative() {
        report.warning(certificate.span, format!("this certificate has expired on {day}: programs refuse it"), help);
    } else if left < EXPIRES_SOON {
        report.warning(
            certificate.span,
            format!("this certificate expires on {day}: programs will refuse it then"),
            help,
        );
    }
}

fn check_certificates(path: &Path, span: Span, report: &mut Report) {
    let help = "it must hold certificates in PEM form (-----BEGIN CERTIFICATE-----); \
                its path is relative to the folder of this configuration file";
    let count = match small_file::read(path) {
        Err(error) => {
            return report.error(
                span,
                format!("the file named here can't be read: {}", small_file::reason(&error)),
                help,
            );
        }
        Ok(bytes) => CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>().map(|all| all.len()),
    };
    match count {
        Err(_) => report.error(span, "the file named here holds a damaged certificate", help),
        Ok(0) => report.error(span, "the file named here holds no certificate", help),
        Ok(_) => {}
    }
}

/// Time enough to have a new certificate signed.
const EXPIRES_SOON: Duration = Duration::days(30);
