//! The guard: requests that are no honest HTTP requests to this proxy go no further.
//!
//! A web page could use bcproxy through a browser nearby. It can send requests to bcproxy's address: those show that
//! they are a browser's. Or it points a host name of its own at bcproxy (DNS rebinding): those carry that name.

use std::net::{IpAddr, Ipv6Addr};

use hyper::header::{HOST, HeaderName};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode, Version};

use super::browser::{OwnScheme, sent_by_browser, sent_by_other_page, sent_by_page};
use crate::config::{Admin, Browsers, Config, HostName, Listener};
use crate::proxy::methods;
use crate::proxy::rejection::{Kind, Rejection};
use crate::small_file;
use crate::tls::host_names_of;

/// What requests are checked against.
#[derive(Debug, Clone)]
pub struct Guard {
    accepted: Accepted,
    /// Host names of this proxy, besides IP addresses and `localhost`; `*.` stands for one label.
    names: Vec<String>,
}

/// Whose requests are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Accepted {
    /// Programs', and a browser's if it says that no other page sent them.
    Clients,
    /// Those, a browser's that does not say where they come from, and those of the listener's own pages, which are
    /// served with this scheme.
    OwnPages(OwnScheme),
    /// Web pages', too.
    Anybody,
}

/// Why the guard rejects a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    #[error(
        "The request has no Host header, which HTTP/1.1 requires. Configure the client to send the host of the base address."
    )]
    NoHost,
    #[error("The request has more than one Host header. Send one.")]
    ManyHosts,
    #[error("The request's address does not begin with a slash. Send the path of the base address.")]
    NoPath,
    #[error("The method {0} is not forwarded.")]
    Method(Method),
    #[error("Business Central does not know the request's method. Use GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS.")]
    UnknownMethod,
    #[error(
        "The request's header {0} names a method that Business Central does not know. Name PUT, PATCH or DELETE, or remove the header."
    )]
    UnknownOverride(HeaderName),
    #[error(
        "The request's Host header is neither a host name nor an IP address, with or without a port. Send the host of the base address."
    )]
    NoHostName,
    #[error(
        "The host name `{0}` is not one of bcproxy's. If clients should use this name, add it to proxy.yaml: access: {{ hosts: [{0}] }}. \
         If not, the request may come from a web page."
    )]
    UnknownHost(HostName),
    #[error(
        "This request comes from a web page in a browser (header {0}), and web pages may not use bcproxy. To allow them, set in \
         proxy.yaml: access: {{ browsers: allow }}."
    )]
    Page(&'static str),
    #[error(
        "This request comes from a browser (header {0}), which does not say whether a web page sent it. bcproxy serves programs. \
         To try an address in a browser, use https, or http://localhost on bcproxy's machine. To allow all web pages, set in \
         proxy.yaml: access: {{ browsers: allow }}."
    )]
    Browser(&'static str),
}

impl Guard {
    /// The guard in front of the routes.
    pub fn new(config: &Config) -> Self {
        let public = config.public_url.iter().map(|url| host_of(url.authority()).to_owned());
        let given = config.access.hosts.iter().map(ToString::to_string);
        let names = of_this_machine().chain(public).chain(given).chain(names_shown(&config.listen)).collect();
        let accepted = match config.access.browsers {
            Browsers::Deny => Accepted::Clients,
            Browsers::Allow => Accepted::Anybody,
        };
        Self { accepted, names }
    }

    /// The guard of the admin listener, whose own pages send forms, where it speaks HTTP or HTTPS.
    pub fn of_admin(config: &Admin, scheme: OwnScheme) -> Self {
        let given = config.hosts.iter().map(ToString::to_string);
        let names = of_this_machine().chain(given).chain(names_shown(&config.listen)).collect();
        Self { accepted: Accepted::OwnPages(scheme), names }
    }

    /// Rejects requests that others on the way may read differently (RFC 9112, section 3.2), unknown methods, and
    /// requests of web pages.
    pub fn check(&self, head: &Parts) -> Result<(), GuardError> {
        let mut hosts = head.headers.get_all(HOST).iter();
        let host = hosts.next();
        if hosts.next().is_some() {
            return Err(GuardError::ManyHosts);
        }
        if matches!(head.method, Method::CONNECT | Method::TRACE) {
            return Err(GuardError::Method(head.method.clone()));
        }
        if !methods::is_known(&head.method) {
            return Err(GuardError::UnknownMethod);
        }
        if let Some(header) = methods::unknown_override(&head.headers) {
            return Err(GuardError::UnknownOverride(header.clone()));
        }
        match host {
            Some(host) => self.recognize(host.to_str().map_err(|_| GuardError::NoHostName)?)?,
            None if head.version == Version::HTTP_11 => return Err(GuardError::NoHost),
            None => {}
        }
        // A request target may name the host as well, as requests to a proxy do.
        if let Some(authority) = head.uri.authority() {
            // Without a scheme it is the target of a CONNECT (RFC 9112, section 3.2.3).
            head.uri.scheme().ok_or(GuardError::NoPath)?;
            self.recognize(authority.as_str())?;
        }
        match self.accepted {
            Accepted::Anybody => Ok(()),
            Accepted::OwnPages(scheme) => sent_by_other_page(&head.headers, scheme).map_or(Ok(()), page),
            Accepted::Clients => match (sent_by_page(&head.headers), sent_by_browser(&head.headers)) {
                (Some(header), _) => page(header),
                (None, Some(header)) => Err(GuardError::Browser(header)),
                (None, None) => Ok(()),
            },
        }
    }

    /// Whether this is one of our names. Clients may send an empty one; browsers never do.
    fn recognize(&self, authority: &str) -> Result<(), GuardError> {
        let host = host_of(authority);
        if authority.is_empty() || is_address(host) {
            return Ok(());
        }
        let host = host.strip_suffix('.').unwrap_or(host);
        let (_, domain) = host.split_once('.').unwrap_or_default();
        let is_ours = |name: &String| match name.strip_prefix("*.") {
            Some(any) => any.eq_ignore_ascii_case(domain),
            None => name.eq_ignore_ascii_case(host),
        };
        let top = host.rsplit('.').next().unwrap_or_default();
        if top.eq_ignore_ascii_case("localhost") || self.names.iter().any(is_ours) {
            return Ok(());
        }
        Err(host.parse().map_or(GuardError::NoHostName, GuardError::UnknownHost))
    }
}

impl GuardError {
    pub fn kind(&self) -> Kind {
        match self {
            Self::NoHost | Self::ManyHosts | Self::NoHostName => Kind::InvalidHost,
            Self::NoPath => Kind::BadRequest,
            Self::Method(_) => Kind::MethodNotAllowed,
            Self::UnknownMethod | Self::UnknownOverride(_) => Kind::NotImplemented,
            Self::UnknownHost(_) => Kind::UnknownHost,
            Self::Page(_) | Self::Browser(_) => Kind::NotAllowed,
        }
    }

    pub fn status(&self) -> StatusCode {
        self.kind().describe().0
    }
}

impl From<GuardError> for Rejection {
    fn from(error: GuardError) -> Self {
        Self::new(error.kind(), error.to_string())
    }
}

fn page(header: &'static str) -> Result<(), GuardError> {
    Err(GuardError::Page(header))
}

/// The names in the certificates of listeners. A certificate that can't be read is reported by its listener.
fn names_shown(listeners: &[Listener]) -> impl Iterator<Item = String> {
    let files = listeners.iter().filter_map(|listener| listener.tls.as_ref());
    files.filter_map(|files| host_names_of(&small_file::read(&files.certificate).ok()?)).flatten()
}

/// The full name, and the name without domain.
fn of_this_machine() -> impl Iterator<Item = String> {
    let full = HostName::of_this_machine();
    let short = full.as_ref().and_then(HostName::short);
    full.into_iter().chain(short).map(|name| name.to_string())
}

/// The host of an authority, without port and brackets. Invalid text is kept, so that it matches no name.
fn host_of(authority: &str) -> &str {
    let (host, rest) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some(bracketed) => bracketed,
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let is_number = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    let is_port = |rest: &str| rest.strip_prefix(':').is_some_and(|port| port.is_empty() || is_number(port));
    if rest.is_empty() || is_port(rest) { host } else { authority }
}

/// Whether it is an IP address. An IPv6 address may name its interface (`fe80::1%eth0`).
fn is_address(host: &str) -> bool {
    if !host.starts_with(|first: char| first.is_ascii_digit()) && !host.contains(':') {
        return false;
    }
    let (address, _) = host.split_once('%').unwrap_or((host, ""));
    host.parse::<IpAddr>().is_ok() || address.parse::<Ipv6Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_read_without_its_port() {
        for (authority, host) in [
            ("erp", "erp"),
            ("erp:7047", "erp"),
            ("erp:", "erp"),
            ("10.0.0.1:80", "10.0.0.1"),
            ("[::1]", "::1"),
            ("[::1]:80", "::1"),
            ("[fe80::1%25eth0]:80", "fe80::1%25eth0"),
            ("::1", "::1"),
            ("erp:x", "erp:x"),
            ("[::1", "[::1"),
            ("[::1]x", "[::1]x"),
            ("u@erp:1", "u@erp"),
            ("", ""),
        ] {
            assert_eq!(host_of(authority), host, "{authority}");
        }
    }

    #[test]
    fn a_star_stands_for_one_label() {
        let guard = Guard { accepted: Accepted::Clients, names: vec!["*.contoso.local".to_owned(), "Erp".to_owned()] };
        for ours in [
            "erp",
            "ERP:80",
            "erp.",
            "gw.contoso.local",
            "GW.Contoso.Local:80",
            "localhost",
            "a.b.LOCALHOST",
            "[::]",
            "1.2.3.4",
        ] {
            assert_eq!(guard.recognize(ours), Ok(()), "{ours}");
        }
        for other in
            ["contoso.local", "a.b.contoso.local", "xerp", "erp.example", "localhost.example", "1.2.3.4.example"]
        {
            assert_eq!(guard.recognize(other), Err(GuardError::UnknownHost(other.parse().unwrap())), "{other}");
        }
        for wrong in ["u@erp", "erp:x", "localhost:99999", "127.0.0.1:65536", ":80", "[::1]x", "a b", "."] {
            assert_eq!(guard.recognize(wrong), Err(GuardError::NoHostName), "{wrong}");
        }
    }
}
