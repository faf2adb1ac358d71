//! Where the admin listener of a running bcproxy is, and how it is asked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use hyper::header::{AUTHORIZATION, HeaderValue};
use hyper::{Method, StatusCode};
use zeroize::Zeroizing;

use crate::bounded_body::read_body;
use crate::cli::common::{Failure, Progress, load_without_secrets, runtime};
use crate::config::{Admin, AdminScope, Config, Listener, TlsFiles};
use crate::error_chain::root_cause;
use crate::outbound::{local_client, pinned_client};
use crate::secret::SecretSource;
use crate::sentence::sentence;

/// The admin listener, as a command reaches it.
pub struct Endpoint {
    address: SocketAddr,
    scope: AdminScope,
    /// The certificate that it presents. No other is trusted. `None`: plain HTTP.
    tls: Option<TlsFiles>,
    token: Option<SecretSource>,
}

impl Endpoint {
    /// The endpoint at `at` if that is given, otherwise one of the configuration file, which may have mistakes.
    pub fn find(file: &Path, at: Option<SocketAddr>) -> Result<Self, Failure> {
        let configured = match load_without_secrets(file) {
            Ok(config) => config.admin.ok_or_else(|| off(file)),
            // The running bcproxy has the previous configuration, and tells of the mistakes itself.
            Err(mistakes) => Config::admin_of_broken_file(file).ok_or(mistakes),
        };
        let Some(at) = at else { return Self::of(configured?).ok_or_else(|| off(file)) };
        let configured = configured.ok();
        let known = configured.iter().flat_map(|admin| &admin.listen).find(|listener| listener.address == at);
        let listener = known.cloned().unwrap_or_else(|| Listener::plain(at));
        Ok(Self::at(listener, configured.and_then(|admin| admin.token)))
    }

    /// The address that is reached best: a loopback address over plain HTTP, one with a certificate, any other.
    fn of(admin: Admin) -> Option<Self> {
        let rank = |listener: &Listener| match (AdminScope::of(listener), &listener.tls) {
            (AdminScope::ThisMachine, None) => 0,
            (AdminScope::ThisMachine | AdminScope::TokenHolders, _) => 1,
            (AdminScope::Monitors, _) => 2,
        };
        let best = admin.listen.into_iter().min_by_key(rank)?;
        Some(Self::at(best, admin.token))
    }

    fn at(listener: Listener, token: Option<SecretSource>) -> Self {
        let scope = AdminScope::of(&listener);
        let mut address = listener.address;
        match address.ip() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        Self { address, scope, tls: listener.tls, token }
    }

    /// Sends a request without a body and returns the response.
    pub fn ask(&self, method: Method, path: &str, timeout: Duration) -> Result<String, Failure> {
        let address = self.address;
        let response = async { tokio::time::timeout(timeout, self.exchange(method, path)).await };
        let progress = Progress::new(format!("waiting for bcproxy on {address}"));
        match runtime()?.block_on(progress.during(response)) {
            Ok(Ok((status, text))) if status.is_success() => Ok(text),
            Ok(Ok((StatusCode::UNPROCESSABLE_ENTITY, text))) => Err(Failure::Configuration(text)),
            Ok(Ok((_, text))) => Err(Failure::Failed(text)),
            Ok(Err(Unanswered::Token(reason))) => Err(Failure::Failed(sentence(&reason))),
            Ok(Err(Unanswered::Connection(reason))) => Err(Failure::Failed(format!(
                "bcproxy does not respond on {address} ({reason}). Check that it is running and that `admin` names this \
                 address{}.",
                if self.scope == AdminScope::ThisMachine { "" } else { ", with this machine in `allow_from`" }
            ))),
            Err(_) => Err(Failure::Failed(format!(
                "bcproxy did not respond on {address} within {} s. Check its log.",
                timeout.as_secs()
            ))),
        }
    }

    async fn exchange(&self, method: Method, path: &str) -> Result<(StatusCode, String), Unanswered> {
        let needs_token = match self.scope {
            AdminScope::ThisMachine => method != Method::GET,
            AdminScope::TokenHolders => true,
            AdminScope::Monitors => false,
        };
        let (scheme, client) = match &self.tls {
            None => ("http", local_client()),
            Some(tls) => ("https", pinned_client(&tls.certificate)),
        };
        let client = client.map_err(|error| Unanswered::Connection(root_cause(&error)))?;
        let mut request = client.request(method, format!("{scheme}://{}{path}", self.address));
        if let Some(source) = self.token.as_ref().filter(|_| needs_token) {
            let token = source.read("admin token").await.map_err(|error| Unanswered::Token(error.to_string()))?;
            let bearer = Zeroizing::new(format!("Bearer {}", token.expose()));
            let mut value = HeaderValue::try_from(bearer.as_str())
                .map_err(|_| Unanswered::Token("the admin token has characters that no header can hold".to_owned()))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let failed = |error: reqwest::Error| Unanswered::Connection(root_cause(&error));
        let response = request.send().await.map_err(failed)?;
        let (status, mut body) = (response.status(), Vec::new());
        match read_body(reqwest::Body::from(response), MAX_RESPONSE_BYTES, &mut body).await {
            Ok(true) => Ok((status, String::from_utf8_lossy(&body).into_owned())),
            Ok(false) => Err(Unanswered::Connection("the response exceeds 16 MiB".to_owned())),
            Err(error) => Err(failed(error)),
        }
    }
}

/// Why there is no response.
enum Unanswered {
    /// The token can't be read.
    Token(String),
    /// The connection failed.
    Connection(String),
}

fn off(file: &Path) -> Failure {
    Failure::Configuration(format!(
        "{} has no admin listener (`admin: off`), which this command needs. Set `admin` to an address.",
        file.display()
    ))
}

/// The status of some thousand connectors.
const MAX_RESPONSE_BYTES: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// Where commands ask, and whether over HTTPS.
    fn found(listen: &str) -> (String, bool) {
        let text = format!(
            "connectors: {{ c: {{ tenant_id: t.example, client_id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301, client_secret: {{ env: X }} }} }}\n\
             admin: {{ listen: {listen}, allow_from: [10.0.0.0/8], token: {{ env: TOKEN }} }}\n"
        );
        let config = Config::from_yaml(&text, Path::new("proxy.yaml")).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let endpoint = Endpoint::of(config.config.admin.unwrap()).unwrap();
        (endpoint.address.to_string(), endpoint.tls.is_some())
    }

    #[test]
    fn commands_prefer_loopback_and_then_https() {
        let secured = "{ address: 0.0.0.0:8443, tls: { certificate: a.pem, private_key: b.pem } }";
        assert_eq!(found(&format!("[0.0.0.0:9090, {secured}, 127.0.0.1:8081]")), ("127.0.0.1:8081".to_owned(), false));
        assert_eq!(found(&format!("[0.0.0.0:9090, {secured}]")), ("127.0.0.1:8443".to_owned(), true));
        assert_eq!(found("'[::]:9090'"), ("[::1]:9090".to_owned(), false));
        assert_eq!(found("10.1.2.3:9090"), ("10.1.2.3:9090".to_owned(), false));
    }
}
