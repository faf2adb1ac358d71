//! Why a request to the admin listener is rejected.

use std::net::IpAddr;

use hyper::StatusCode;

use crate::proxy::GuardError;

/// Why a request is rejected, with what to do about it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The client's network is not allowed.
    #[error(
        "The address {0} may not use the admin listener. To allow it, add its network to proxy.yaml: admin: {{ allow_from: [{0}] }}."
    )]
    Network(IpAddr),
    /// The host name may be a web page's.
    #[error("{}", explain(.0))]
    Guard(GuardError),
    /// The address is for monitors.
    #[error(
        "This address serves only /metrics, /livez and /readyz, and takes no token, because it has no `tls` in proxy.yaml. For \
         everything else, use 127.0.0.1 on bcproxy's machine, or add an address with `tls` and a `token` to `admin`."
    )]
    ForMonitors,
    /// Plain HTTP on an address for HTTPS.
    #[error("This address serves HTTPS. Use https:// instead of http://.")]
    PlainHttp,
    /// The request presents no token.
    #[error(
        "This needs the token of the admin listener (`token` of `admin` in proxy.yaml). Send it as Authorization: Bearer …, or \
         sign in with a browser at /sign-in."
    )]
    NoToken,
    /// The token is wrong.
    #[error("The token is wrong. Send the one that `token` of `admin` in proxy.yaml names.")]
    WrongToken,
    /// Too many wrong tokens from this address.
    #[error(
        "bcproxy is checking other tokens from this address. Nothing was carried out. Send the request again later."
    )]
    Busy,
    /// The request has the cookie of a session, but could come from anywhere.
    #[error(
        "The request has no Origin header, by which a browser says which page sent it. Send the token instead: Authorization: \
         Bearer …"
    )]
    NoOrigin,
}

impl Rejection {
    /// The status of its response.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Network(_) | Self::ForMonitors | Self::NoOrigin => StatusCode::FORBIDDEN,
            Self::Guard(reason) => reason.status(),
            Self::PlainHttp => StatusCode::BAD_REQUEST,
            Self::NoToken | Self::WrongToken => StatusCode::UNAUTHORIZED,
            Self::Busy => StatusCode::TOO_MANY_REQUESTS,
        }
    }
}

fn explain(reason: &GuardError) -> String {
    match reason {
        GuardError::UnknownHost(name) => format!(
            "The host name `{name}` is not one of bcproxy's. If you call the admin listener by this name, add it to proxy.yaml: \
             admin: {{ hosts: [{name}] }}. If not, the request may come from a web page."
        ),
        _ => NOT_ALLOWED.to_owned(),
    }
}

const NOT_ALLOWED: &str = "The admin listener accepts requests from programs and from its own pages, not from other web pages. \
     Use its address, the machine's name or localhost.";
