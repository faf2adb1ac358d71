//! Why there is no connection to the shared store, or no sign-in.

use std::io;
use std::time::Duration;

use redis::RedisError;
use rustls::CertificateError;

use super::finding::{StoreCheck, StoreProblem};
use crate::config::SharedLimits;
use crate::doctor::certificate::certificate_error;
use crate::error_chain::root_cause;
use crate::outbound::Dialer;
use crate::shared_store::ConnectError;

/// The check that failed, and what is wrong.
pub fn why(error: &ConnectError, settings: &SharedLimits) -> (StoreCheck, StoreProblem) {
    match error {
        ConnectError::Tcp(error) => {
            let what = format!("{} can't be reached ({})", address(settings), root_cause(error.as_ref()));
            (StoreCheck::Connection, StoreProblem::new(what, REACH))
        }
        ConnectError::Tls(error) => (StoreCheck::Tls, tls(error, settings)),
        ConnectError::Name(_) => {
            let what = format!("{} is not a name that a certificate can be for", settings.url.host());
            (StoreCheck::Tls, StoreProblem::new(what, "correct the host in `url`"))
        }
        ConnectError::Password(error) => {
            let fix = "check that bcproxy's account can read the password where `password` points";
            (StoreCheck::SignIn, StoreProblem::new(error.to_string(), fix))
        }
        ConnectError::SignIn(error) => sign_in(error, settings),
    }
}

/// The check that did not end within `limit`, and what is wrong.
pub async fn why_not_in_time(settings: &SharedLimits, limit: Duration) -> (StoreCheck, StoreProblem) {
    let (url, seconds) = (&settings.url, limit.as_secs());
    match tokio::time::timeout(limit, Dialer::default().connect(url.host(), url.port())).await {
        // A server that expects no TLS waits for the end of a line.
        Ok(Ok(_)) if url.is_tls() => {
            let what = format!("{} does not complete the TLS handshake within {seconds} s", address(settings));
            (
                StoreCheck::Tls,
                StoreProblem::new(what, "check that this port uses TLS; without TLS, write a redis:// address"),
            )
        }
        Ok(Ok(_)) => {
            let what = format!("{} accepts connections, but does not respond within {seconds} s", address(settings));
            let fix = "check that Redis or Valkey listens on this port, and that the server is not busy or paused";
            (StoreCheck::SignIn, StoreProblem::new(what, fix))
        }
        Ok(Err(error)) => why(&ConnectError::Tcp(error), settings),
        Err(_) => {
            let what = format!("{} does not respond within {seconds} s", address(settings));
            (StoreCheck::Connection, StoreProblem::new(what, REACH))
        }
    }
}

/// Where the shared store is, as `host:port`.
pub fn address(settings: &SharedLimits) -> String {
    format!("{}:{}", settings.url.host(), settings.url.port())
}

const REACH: &str =
    "check that Redis or Valkey runs there, that `url` is right, and that the firewall allows this machine to connect";

fn tls(error: &io::Error, settings: &SharedLimits) -> StoreProblem {
    let host = settings.url.host();
    match certificate_error(error) {
        Some(CertificateError::UnknownIssuer) => StoreProblem::new(
            format!("this machine does not trust the certificate of {host}"),
            "name a PEM file with the authority that signed it: `ca_file`",
        ),
        Some(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => StoreProblem::new(
            format!("the certificate of {host} has expired"),
            "check this machine's clock; if it is correct, renew the certificate of the shared store",
        ),
        Some(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }) => StoreProblem::new(
            format!("the certificate presented by {host} is for another name"),
            "write a name in `url` that the certificate is for",
        ),
        Some(other) => StoreProblem::new(
            format!("the certificate of {host} is invalid ({other})"),
            "install a valid certificate on the server of the shared store",
        ),
        None => StoreProblem::new(
            format!("the TLS handshake with {host} failed ({})", root_cause(error)),
            "check that this port uses TLS 1.2 or 1.3 and requires no client certificate; a port without TLS needs a \
             redis:// address",
        ),
    }
}

fn sign_in(error: &RedisError, settings: &SharedLimits) -> (StoreCheck, StoreProblem) {
    let at = |what: String, fix: &str| (StoreCheck::SignIn, StoreProblem::new(what, fix));
    let said = error.to_string();
    let user = settings.user.as_deref().unwrap_or("default");
    if error.is_io_error() {
        let fix =
            "if this port requires TLS, write a rediss:// address; otherwise, check that Redis or Valkey runs there";
        return at(format!("the connection broke during the sign-in ({said})"), fix);
    }
    if said.contains("unknown command") {
        let problem = StoreProblem::new("the shared store is older than version 6", super::server::UPGRADE);
        return (StoreCheck::Version, problem);
    }
    match error.code() {
        Some("NOAUTH") => at(
            "the shared store requires a password".to_owned(),
            "set `password`, and `user` if its access control list (ACL) has a user for bcproxy",
        ),
        _ if said.contains("WRONGPASS") || said.contains("invalid username-password") => at(
            format!("the shared store rejects the user `{user}` or its password"),
            "compare `user` and `password` with the access control list (ACL) of the shared store",
        ),
        _ if said.contains("DB index") => at(
            format!("the shared store has no database {}", settings.url.database()),
            "write the number of a database that it has at the end of `url`, or none",
        ),
        _ => at(
            format!("the shared store rejects the sign-in ({said})"),
            "check `user`, `password` and the access control list (ACL) of the shared store",
        ),
    }
}
