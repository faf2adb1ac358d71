//! Checks of the variables and files that the configuration refers to.
//!
//! These messages quote no value of the file, which may be a secret pasted in place of a path.

use std::env;
use std::io::ErrorKind;
use std::path::Path;

use time::OffsetDateTime;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::applications::{certificate_files, credential_keys};
use super::client_auth::scheme_of;
use super::connectors::password;
use super::files::{Protection, check_authority, check_ca_file, check_identity, check_permissions};
use super::log;
use super::shared_limits::check_shared_store;
use super::telemetry::check_collector;
use crate::config::model::{AuthScheme, MIN_ADMIN_TOKEN_BYTES};
use crate::config::shape::At;
use crate::config::vocabulary::{ClientCertificateKeys, Secret, TopLevelKeys};
use crate::config::yaml::{Report, Span};
use crate::entra::CredentialExpiry;
use crate::outbound::{self, EnvironmentError, ProxySelector};
use crate::secret::{SecretSource, StoreError, WindowsSecret};
use crate::small_file;
use crate::users::{HashKind, UsersFile};

/// Whose environment variables this process has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variables {
    /// Those of the service: one that is missing is an error.
    Service,
    /// Those of an administrator's terminal: one that is missing may be set for the service.
    Terminal,
}

/// Checks every variable and file that the configuration names. Does not run commands. `own`: the configuration file.
pub fn check_references(own: &Path, file: &TopLevelKeys, variables: Variables, report: &mut Report) {
    for listen in file.listen.iter().flat_map(|listen| &listen.value.0) {
        if let Some(tls) = &listen.value.tls {
            check_identity(tls.value.certificate.as_ref(), tls.value.private_key.as_ref(), report);
            check_authority(&tls.value, report);
        }
    }
    if let Some(admin) = file.admin_keys() {
        for tls in admin.certificates() {
            check_identity(tls.certificate.as_ref(), tls.private_key.as_ref(), report);
        }
        if let Some(source) = admin.token_source() {
            check_admin_token(source, variables, report);
        }
    }
    check_users(file, report);
    log::check_file(own, file, report);
    check_environment(file, report);
    let connectors = file.connectors.iter().flat_map(|connectors| &connectors.value.0);
    for connector in connectors.filter_map(|(_, connector)| connector.as_ref()) {
        if report.is_full() {
            return;
        }
        for keys in credential_keys(connector) {
            let secrets = keys.client_secret.iter().flat_map(|list| &list.value.0);
            secrets.for_each(|secret| check_secret(&secret.value, variables, report));
            if let Some(files) = keys.client_certificate {
                check_pair(&files.value, report);
            }
            if let Some(path) = keys.federated_token.and_then(|token| token.value.file.as_ref()) {
                let help = "check that the platform writes the token file; a relative path starts in the folder of this configuration file";
                contents(&path.value, Protection::Secret, path.span, help, report);
            }
        }
        check_ca_file(connector.ca_file.as_ref(), report);
        if let Some(source) = password(connector.outbound_proxy.as_ref()) {
            check_secret_source(source, "password", variables, report);
        }
    }
    check_collector(file, variables, report);
    check_shared_store(file, variables, report);
}

fn check_secret(secret: &Secret, variables: Variables, report: &mut Report) {
    if let Some(day) = &secret.expires {
        warn_of_end(day.value, day.span, report);
    }
    // Entra always shows a secret's ID, but its value only once.
    if let Some(value) = check_secret_source(&secret.source, "client secret's value", variables, report)
        && Uuid::try_parse_ascii(value.trim_ascii()).is_ok()
    {
        report.warning(
            secret.source.span,
            "this secret has the form of a Secret ID",
            "use the secret's Value, which Entra shows only once; if it is lost, create a new secret",
        );
    }
}

fn check_admin_token(source: &At<SecretSource>, variables: Variables, report: &mut Report) {
    if let Some(value) = check_secret_source(source, "admin token", variables, report)
        && value.trim_ascii().len() < MIN_ADMIN_TOKEN_BYTES
    {
        report.error(
            source.span,
            "the token named here can be guessed: it has fewer than 16 characters",
            "store a longer one, such as the output of `openssl rand -hex 32`",
        );
    }
}

/// Checks the outbound proxy in the environment variables, if a connector uses it.
fn check_environment(file: &TopLevelKeys, report: &mut Report) {
    let connectors = file.connectors.iter().flat_map(|connectors| &connectors.value.0);
    let mut by_environment = connectors
        .filter(|(_, connector)| connector.as_ref().is_some_and(|connector| connector.outbound_proxy.is_none()));
    if let Some((name, _)) = by_environment.next()
        && let Err(EnvironmentError { variable, problem }) =
            ProxySelector::new(&outbound::OutboundProxy::FromEnvironment)
    {
        let message = format!("this connector uses the outbound proxy in {variable}, which is invalid");
        let help = format!(
            "{problem}; or set `outbound_proxy` here, which takes precedence over the variable (`off`: no proxy)"
        );
        report.error(name.span, message, help);
    }
}

/// Reads a secret, and reports it if it is missing or empty. `None` also for a command, which is not run.
pub fn check_secret_source(
    source: &At<SecretSource>,
    what: &str,
    variables: Variables,
    report: &mut Report,
) -> Option<Zeroizing<Vec<u8>>> {
    let span = source.span;
    let (value, what, help) = match &source.value {
        SecretSource::Env(name) => {
            let help = "set the variable for the account of the bcproxy service, and restart it; a terminal keeps its variables to itself";
            let Some(value) = env::var_os(name) else {
                match variables {
                    Variables::Service => report.error(span, "the environment variable named here is not set", help),
                    Variables::Terminal => report.warning(
                        span,
                        "the environment variable named here is not set in this terminal, but the service needs it",
                        HOW_THE_SERVICE_GETS_IT,
                    ),
                }
                return None;
            };
            (Zeroizing::new(value.into_encoded_bytes()), "environment variable", help.to_owned())
        }
        SecretSource::File(path) => {
            let help = format!(
                "write the {what} into that file; a relative path starts in the folder of this configuration file"
            );
            (contents(path, Protection::Secret, span, &help, report)?, "file", help)
        }
        SecretSource::Windows(secret) => {
            let help = "run `bcproxy service secret set NAME` with the name written here";
            (stored_value(secret, variables, span, report)?, "stored secret", help.to_owned())
        }
        // A file never gives the value itself.
        SecretSource::Command(_) | SecretSource::Given(_) => return None,
    };
    if value.trim_ascii().is_empty() {
        report.error(span, format!("the {what} named here is empty"), help);
    } else if small_file::text(&value).is_none() {
        report.error(span, format!("the {what} named here is not UTF-8 text"), help);
    } else {
        return Some(value);
    }
    None
}

/// Decrypts a stored secret, and reports it if that fails.
fn stored_value(
    secret: &WindowsSecret,
    variables: Variables,
    span: Span,
    report: &mut Report,
) -> Option<Zeroizing<Vec<u8>>> {
    let error = match secret.read() {
        Ok(value) => return Some(value),
        Err(error) => error,
    };
    match (variables, &error) {
        (Variables::Terminal, StoreError::Unreadable { error, .. }) if error.kind() == ErrorKind::PermissionDenied => {
            let help = "run this in a terminal that was opened with \"Run as administrator\"";
            report.warning(span, "your account may not read the secret named here, so it was not checked", help);
        }
        _ => {
            let (problem, help) = error.finding();
            report.error(span, format!("the secret named here {problem}"), help);
        }
    }
    None
}

/// Reads a file, and reports it if it can't be read, or if others can do more with it than they should.
fn contents(
    path: &Path,
    protection: Protection,
    span: Span,
    help: &str,
    report: &mut Report,
) -> Option<Zeroizing<Vec<u8>>> {
    check_permissions(path, protection, Some(span), report);
    let unreadable = |error| format!("the file named here can't be read: {}", small_file::reason(&error));
    small_file::read(path).map_err(|error| report.error(span, unreadable(error), help)).ok()
}

fn warn_of_end(last_day: time::Date, span: Span, report: &mut Report) {
    if let Some(expiry) = CredentialExpiry::soon(last_day, OffsetDateTime::now_utc().date()) {
        report.warning(span, expiry.to_string(), expiry.when_to_replace());
    }
}

/// Checks that a certificate and its key belong together and are valid now.
fn check_pair(files: &ClientCertificateKeys, report: &mut Report) {
    let (Some(certificate), Some(paths)) = (&files.certificate, certificate_files(files)) else { return };
    let key_span = files.private_key.as_ref().map_or(certificate.span, |key| key.span);
    let help = "name a file in PEM form; a relative path starts in the folder of this configuration file";
    // Without a file of its own, the key is in the certificate's.
    let protection = if paths.private_key.is_some() { Protection::Unchanged } else { Protection::Secret };
    let first = contents(&paths.certificate, protection, certificate.span, help, report);
    let second = match &paths.private_key {
        Some(path) => contents(path, Protection::Secret, key_span, help, report).map(Some),
        None => Some(None),
    };
    let (Some(first), Some(second)) = (first, second) else { return };
    match paths.pair(&first, second.as_ref().map(|key| key.as_slice())) {
        Err(error) => {
            let span = if error.path == paths.certificate { certificate.span } else { key_span };
            report.error(span, format!("the file named here {}", error.problem), help);
        }
        Ok(pair) => {
            if let Err(error) = paths.check_validity(&pair, OffsetDateTime::now_utc()) {
                report.warning(
                    certificate.span,
                    format!("the file named here {}", error.problem),
                    "renew the certificate: Entra issues no token for this one",
                );
            } else {
                warn_of_end(pair.last_day(), certificate.span, report);
            }
        }
    }
}

/// Checks the file of users, and that it has those who are named elsewhere.
fn check_users(file: &TopLevelKeys, report: &mut Report) {
    let Some(At { value: path, span, .. }) = &file.users else { return };
    check_permissions(path, Protection::Secret, Some(*span), report);
    let users = match UsersFile::read(path) {
        Ok(users) => users,
        Err(error) => {
            let help = "`bcproxy user add NAME` creates the file and adds a user; a relative path starts in the folder of this configuration file";
            return report.error(*span, format!("the file named here {error}"), help);
        }
    };
    let rules = || {
        let listeners = file.listen.iter().flat_map(|listen| &listen.value.0);
        let routes = file.routes.iter().flat_map(|routes| &routes.value);
        let listeners = listeners.filter_map(|listener| listener.value.client_auth.as_ref());
        listeners.chain(routes.filter_map(|route| route.value.client_auth.as_ref()))
    };
    if !users.entries().any(|user| user.hash.kind() == HashKind::Nt)
        && let Some(ntlm) = rules().find(|rules| scheme_of(rules, AuthScheme::Ntlm).is_some())
    {
        report.warning(
            ntlm.label,
            "nobody can sign in with NTLM: the file of users has no such user",
            "run `bcproxy user add NAME --ntlm`",
        );
    }
    let named = rules().filter(|rules| scheme_of(rules, AuthScheme::Mtls).is_none());
    let named = named.flat_map(|rules| &rules.value.names).flat_map(|names| &names.value);
    let clients = file.clients.iter().flat_map(|clients| &clients.value.0);
    let clients = clients.filter_map(|(_, client)| client.as_ref()?.user.as_ref());
    for name in named.chain(clients) {
        if !users.entries().any(|user| user.name.key() == name.value.0.to_lowercase()) {
            report.warning(
                name.span,
                "the file of users has no user of this name",
                "run `bcproxy user add NAME`, or correct the name",
            );
        }
    }
}

const HOW_THE_SERVICE_GETS_IT: &str = if cfg!(windows) {
    "set it with `setx NAME VALUE /M`, then restart the service; or store it with `bcproxy service secret set`"
} else {
    "set it in the file that `EnvironmentFile=` of the systemd unit names, or in `environment` of docker-compose.yml; \
     then restart the service"
};
