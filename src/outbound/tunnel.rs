//! A tunnel through an outbound proxy (`CONNECT`; RFC 9110, section 9.3.6).

use std::error::Error;
use std::time::Duration;

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderMap, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;

use super::origin::Origin;
use super::proxy::{Proxy, ProxySource};
use crate::error_chain::root_cause;
use crate::secret::SecretError;
use crate::shared_socket::SharedSocket;

/// Why no tunnel was opened: what the proxy did. [`fix`](Self::fix) says what to do about it. Never holds a password.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.problem())]
pub struct TunnelError {
    /// `host:port` of the proxy.
    proxy: String,
    configured_in: ProxySource,
    has_login: bool,
    /// `host:port` of the service.
    target: String,
    fault: TunnelFault,
}

#[derive(Debug)]
enum TunnelFault {
    /// No connection to the proxy itself.
    Unreachable(String),
    Password(SecretError),
    /// The proxy demands one of these authentication schemes.
    AuthenticationRequired(Vec<String>),
    /// The proxy rejects the target.
    Rejected(StatusCode),
    /// The proxy failed to connect to the target.
    ServerError(StatusCode),
    Closed,
    NotAProxy(&'static str),
    TimedOut(Duration),
}

/// Asks the proxy at the other end of the socket for a tunnel to `target`. Returns the socket once the tunnel is open.
pub async fn open(
    proxy: &Proxy,
    socket: TokioIo<SharedSocket>,
    target: &Uri,
) -> Result<TokioIo<SharedSocket>, TunnelError> {
    let failed = |fault| TunnelError::new(proxy, target, fault);
    let broken = |error: hyper::Error| {
        failed(if error.is_parse() { TunnelFault::NotAProxy("it does not speak HTTP") } else { TunnelFault::Closed })
    };
    let not_a_proxy = || failed(TunnelFault::NotAProxy("no outbound proxy responds like this"));
    let authorization = proxy.authorization().await.map_err(|error| failed(TunnelFault::Password(error)))?;
    let (mut sender, connection) = http1::handshake(socket).await.map_err(broken)?;
    // Errors of the connection also reach its request, which reports them.
    tokio::spawn(connection.with_upgrades());
    let host = authority_form(target);
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.method_mut() = Method::CONNECT;
    *request.uri_mut() =
        host.parse().map_err(|_| failed(TunnelFault::NotAProxy("the target is not a valid address")))?;
    let headers = request.headers_mut();
    headers.extend(HeaderValue::from_str(&host).ok().map(|host| (HOST, host)));
    headers.extend(authorization.map(|value| (PROXY_AUTHORIZATION, value)));

    let response = sender.send_request(request).await.map_err(broken)?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            return Err(failed(TunnelFault::AuthenticationRequired(schemes(response.headers()))));
        }
        status if status.is_client_error() => return Err(failed(TunnelFault::Rejected(status))),
        status if status.is_server_error() => return Err(failed(TunnelFault::ServerError(status))),
        _ => return Err(not_a_proxy()),
    }
    let upgraded = hyper::upgrade::on(response).await.map_err(broken)?;
    let parts = upgraded.downcast::<TokioIo<SharedSocket>>().map_err(|_| not_a_proxy())?;
    // In TLS the client speaks first: bytes that are already there can't come from the target.
    if parts.read_buf.is_empty() { Ok(parts.io) } else { Err(not_a_proxy()) }
}

/// The names of the authentication schemes a proxy offers. Their parameters are never repeated.
fn schemes(headers: &HeaderMap) -> Vec<String> {
    let known = ["Basic", "Digest", "NTLM", "Negotiate", "Kerberos", "Bearer"];
    let values = headers.get_all(PROXY_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let words: Vec<&str> = values.flat_map(|value| value.split([' ', ','])).collect();
    let is_offered = |scheme: &&str| words.iter().any(|word| word.eq_ignore_ascii_case(scheme));
    known.into_iter().filter(is_offered).map(ToOwned::to_owned).collect()
}

/// The target as CONNECT names it.
fn authority_form(target: &Uri) -> String {
    Origin::split(&target.to_string()).map_or_else(|_| String::new(), |(origin, _)| origin.host_and_port())
}

impl TunnelError {
    pub fn unreachable(proxy: &Proxy, target: &Uri, error: &(dyn Error + 'static)) -> Self {
        Self::new(proxy, target, TunnelFault::Unreachable(root_cause(error)))
    }

    pub fn timed_out(proxy: &Proxy, target: &Uri, limit: Duration) -> Self {
        Self::new(proxy, target, TunnelFault::TimedOut(limit))
    }

    fn new(proxy: &Proxy, target: &Uri, fault: TunnelFault) -> Self {
        Self {
            proxy: proxy.address.to_string(),
            configured_in: proxy.source,
            has_login: proxy.login.is_some(),
            target: authority_form(target),
            fault,
        }
    }

    fn problem(&self) -> String {
        let Self { proxy, target, fault, .. } = self;
        match fault {
            TunnelFault::Unreachable(cause) => format!("the outbound proxy {proxy} can't be reached: {cause}"),
            TunnelFault::Password(error) => error.to_string(),
            TunnelFault::AuthenticationRequired(_) => {
                format!("the outbound proxy {proxy} answered 407 Proxy Authentication Required")
            }
            TunnelFault::Rejected(status) | TunnelFault::ServerError(status) => {
                format!("the outbound proxy {proxy} answered {status} to CONNECT {target}")
            }
            TunnelFault::Closed => format!("the outbound proxy {proxy} closed the connection without a response"),
            TunnelFault::NotAProxy(reason) => format!("the server at {proxy} is not an outbound proxy: {reason}"),
            TunnelFault::TimedOut(limit) => {
                format!("no connection through the outbound proxy {proxy} within {} s", limit.as_secs_f32())
            }
        }
    }

    /// What to do about it: an imperative clause without a full stop.
    pub fn fix(&self) -> String {
        let Self { proxy, configured_in, target, .. } = self;
        match &self.fault {
            TunnelFault::Unreachable(_) | TunnelFault::Closed | TunnelFault::NotAProxy(_) => {
                format!("check {configured_in}, and that this machine may connect to {proxy}")
            }
            TunnelFault::Password(_) => "store the password where `password` of `outbound_proxy` points".to_owned(),
            TunnelFault::AuthenticationRequired(schemes)
                if !schemes.is_empty() && !schemes.iter().any(|scheme| scheme == "Basic") =>
            {
                format!(
                    "the outbound proxy offers {}, but bcproxy supports only Basic: ask its administrator to allow this machine to reach \
                     {target} without authentication",
                    schemes.join(" and ")
                )
            }
            TunnelFault::AuthenticationRequired(_) if self.has_login => {
                format!("the outbound proxy rejects the user name and password in {configured_in}: correct them")
            }
            TunnelFault::AuthenticationRequired(_) => format!(
                "the outbound proxy requires a user name and password: \
                 outbound_proxy: {{ url: http://{proxy}, user: NAME, password: {{ env: PROXY_PASSWORD }} }}"
            ),
            TunnelFault::Rejected(_) => {
                format!("ask the administrator of the outbound proxy to allow this machine to reach {target}")
            }
            TunnelFault::ServerError(_) => {
                format!("the outbound proxy can't reach {target}: check the name, and ask the proxy's administrator")
            }
            TunnelFault::TimedOut(_) => format!(
                "check {configured_in}, and ask the administrator of the outbound proxy whether this machine may reach {target}"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_schemes_are_repeated() {
        let headers = HeaderMap::from_iter([
            (PROXY_AUTHENTICATE, HeaderValue::from_static("Negotiate")),
            (PROXY_AUTHENTICATE, HeaderValue::from_static("basic realm=\"hunter2\", evil")),
        ]);
        assert_eq!(schemes(&headers), ["Basic", "Negotiate"]);
    }
}
