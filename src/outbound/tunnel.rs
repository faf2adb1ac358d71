//! A tunnel through an outbound proxy (`CONNECT`; RFC 9110, section 9.3.6).

use std::error::Error;
use std::time::Duration;

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderMap, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;

use super::proxy::{NamedBy, Proxy};
use crate::error_chain::root_cause;
use crate::secret::SecretError;
use crate::shared_socket::SharedSocket;

/// Why there is no tunnel: what the proxy did, without what to do about it. Never holds a password.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.what())]
pub struct TunnelError {
    /// `host:port` of the proxy.
    proxy: String,
    named_by: NamedBy,
    has_login: bool,
    /// `host:port` it was to lead to.
    target: String,
    fault: Fault,
}

#[derive(Debug)]
enum Fault {
    /// No connection to the proxy itself.
    Unreachable(String),
    Password(SecretError),
    /// It wants to know who we are, by one of these schemes.
    SignIn(Vec<String>),
    /// It does not want to.
    Denied(StatusCode),
    /// It wants to, and could not.
    Failed(StatusCode),
    Closed,
    Strange(&'static str),
    TooSlow(Duration),
}

/// Has the proxy at the other end of the socket connect to `target`, and hands the socket back when it leads there.
pub async fn open(
    proxy: &Proxy,
    socket: TokioIo<SharedSocket>,
    target: &Uri,
) -> Result<TokioIo<SharedSocket>, TunnelError> {
    let failed = |fault| TunnelError::new(proxy, target, fault);
    let broken = |error: hyper::Error| {
        failed(if error.is_parse() { Fault::Strange("it speaks no HTTP") } else { Fault::Closed })
    };
    let authorization = proxy.authorization().await.map_err(|error| failed(Fault::Password(error)))?;
    let (mut sender, connection) = http1::handshake(socket).await.map_err(broken)?;
    // How it ends, its request is told.
    tokio::spawn(connection.with_upgrades());
    let place = target_of(target);
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.method_mut() = Method::CONNECT;
    *request.uri_mut() = place.parse().map_err(|_| failed(Fault::Strange("there is no such address")))?;
    let headers = request.headers_mut();
    headers.extend(HeaderValue::from_str(&place).ok().map(|host| (HOST, host)));
    headers.extend(authorization.map(|value| (PROXY_AUTHORIZATION, value)));

    let answer = sender.send_request(request).await.map_err(broken)?;
    match answer.status() {
        StatusCode::OK => {}
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => return Err(failed(Fault::SignIn(schemes(answer.headers())))),
        status if status.is_client_error() => return Err(failed(Fault::Denied(status))),
        status if status.is_server_error() => return Err(failed(Fault::Failed(status))),
        _ => return Err(failed(Fault::Strange("it answers as no proxy does"))),
    }
    let upgraded = hyper::upgrade::on(answer).await.map_err(broken)?;
    let parts = upgraded.downcast::<TokioIo<SharedSocket>>();
    let parts = parts.map_err(|_| failed(Fault::Strange("it answers as no proxy does")))?;
    // Behind it speaks TLS, where the client begins.
    if parts.read_buf.is_empty() { Ok(parts.io) } else { Err(failed(Fault::Strange("it answers as no proxy does"))) }
}

/// `host:port`.
fn target_of(target: &Uri) -> String {
    format!("{}:{}", target.host().unwrap_or_default(), target.port_u16().unwrap_or(443))
}

/// The names of the schemes a challenge offers; nothing of what stands behind them.
fn schemes(headers: &HeaderMap) -> Vec<String> {
    let known = ["Basic", "Digest", "NTLM", "Negotiate", "Kerberos", "Bearer"];
    let values = headers.get_all(PROXY_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let words: Vec<&str> = values.flat_map(|value| value.split([' ', ','])).collect();
    let is_offered = |scheme: &&str| words.iter().any(|word| word.eq_ignore_ascii_case(scheme));
    known.into_iter().filter(is_offered).map(ToOwned::to_owned).collect()
}

impl TunnelError {
    pub fn unreachable(proxy: &Proxy, target: &Uri, error: &(dyn Error + 'static)) -> Self {
        Self::new(proxy, target, Fault::Unreachable(root_cause(error)))
    }

    pub fn too_slow(proxy: &Proxy, target: &Uri, limit: Duration) -> Self {
        Self::new(proxy, target, Fault::TooSlow(limit))
    }

    fn new(proxy: &Proxy, target: &Uri, fault: Fault) -> Self {
        Self {
            proxy: proxy.address.to_string(),
            named_by: proxy.named_by,
            has_login: proxy.has_login(),
            target: target_of(target),
            fault,
        }
    }

    fn what(&self) -> String {
        let Self { proxy, target, fault, .. } = self;
        match fault {
            Fault::Unreachable(cause) => format!("the outbound proxy {proxy} can't be reached: {cause}"),
            Fault::Password(error) => error.to_string(),
            Fault::SignIn(_) => format!("the outbound proxy {proxy} answers 407 Proxy Authentication Required"),
            Fault::Denied(status) | Fault::Failed(status) => {
                format!("the outbound proxy {proxy}, asked for {target}, answers {status}")
            }
            Fault::Closed => format!("the outbound proxy {proxy} closed the connection without an answer"),
            Fault::Strange(how) => format!("what answers at the outbound proxy's address {proxy} is none: {how}"),
            Fault::TooSlow(limit) => {
                format!("no connection through the outbound proxy {proxy} within {} s", limit.as_secs_f32())
            }
        }
    }

    /// What to do about it: a part of a sentence.
    pub fn advice(&self) -> String {
        let Self { proxy, named_by, target, .. } = self;
        match &self.fault {
            Fault::Unreachable(_) | Fault::Closed | Fault::Strange(_) => {
                format!("check {named_by}, and that this machine may connect to {proxy}")
            }
            Fault::Password(_) => "put the password where `password` of `outbound_proxy` says".to_owned(),
            Fault::SignIn(schemes) if !schemes.is_empty() && !schemes.iter().any(|scheme| scheme == "Basic") => {
                format!(
                    "it offers {}, bcproxy knows Basic only: ask who keeps the outbound proxy to let this machine through to {target} without",
                    schemes.join(" and ")
                )
            }
            Fault::SignIn(_) if self.has_login => {
                format!("it does not take the user name and password in {named_by}: correct them")
            }
            Fault::SignIn(_) => format!(
                "it wants a user name and a password: outbound_proxy: {{ url: http://{proxy}, user: NAME, password: {{ env: PROXY_PASSWORD }} }}"
            ),
            Fault::Denied(_) => format!("ask who keeps the outbound proxy to let this machine through to {target}"),
            Fault::Failed(_) => {
                format!("the outbound proxy can't reach {target}: ask who keeps it, and check that the name is right")
            }
            Fault::TooSlow(_) => {
                format!(
                    "check {named_by}, and ask who keeps the outbound proxy whether it lets this machine through to {target}"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_names_of_schemes_are_repeated() {
        let headers = HeaderMap::from_iter([
            (PROXY_AUTHENTICATE, HeaderValue::from_static("Negotiate")),
            (PROXY_AUTHENTICATE, HeaderValue::from_static("basic realm=\"hunter2\", evil")),
        ]);
        assert_eq!(schemes(&headers), ["Basic", "Negotiate"]);
    }
}
