//! The guard: what is no honest HTTP request for this proxy goes no further.
//!
//! Whoever can make a browser near us open a page could use us from there: by requests to our address, or by pointing a name of its own
//! to it (DNS rebinding), which makes us a part of its site. The first bear what a browser says of their origin, the second that name.

use std::net::{IpAddr, Ipv6Addr};

use hyper::header::{HOST, ORIGIN};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, StatusCode};

use crate::config::{Browsers, Config, HostName};
use crate::proxy::rejection::{Kind, Rejection};
use crate::small_file;
use crate::tls::host_names_of;

/// What a guard goes by.
#[derive(Debug, Clone)]
pub struct Guard {
    browsers: Browsers,
    /// What we are called, besides IP addresses and `localhost`; `*.` stands for one label.
    names: Vec<String>,
}

/// Why a request goes no further.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    #[error("The request has more than one Host header; send one.")]
    ManyHosts,
    #[error("The method {0} is not forwarded.")]
    Method(Method),
    #[error(
        "The request's Host is neither a host name nor an IP address, with or without a port; send what stands in the program's address."
    )]
    NoHostName,
    #[error(
        "bcproxy does not know the host name `{0}`. If programs are meant to call it so, add the name to proxy.yaml: access: {{ hosts: [{0}] }}. \
         If not, a web page may be behind this request."
    )]
    UnknownHost(HostName),
    #[error(
        "This request comes from a web page in a browser, as its header {0} says, and web pages may not use bcproxy. If they should, write in \
         proxy.yaml: access: {{ browsers: allow }}."
    )]
    Browser(&'static str),
}

impl Guard {
    /// The one in front of the routes.
    pub fn new(config: &Config) -> Self {
        let public = config.public_url.iter().map(|url| host_of(url.authority()).to_owned());
        let given = config.access.hosts.iter().map(ToString::to_string);
        let files = config.listen.iter().filter_map(|listener| listener.tls.as_ref());
        // A file that can't be read keeps its door closed, which is told there.
        let shown = files.filter_map(|files| host_names_of(&small_file::read(&files.certificate).ok()?)).flatten();
        let names = of_this_machine().chain(public).chain(given).chain(shown).collect();
        Self { browsers: config.access.browsers, names }
    }

    /// The one of a listener that is for this machine alone.
    pub fn of_this_machine() -> Self {
        Self { browsers: Browsers::Deny, names: of_this_machine().collect() }
    }

    /// Refuses what could mean one thing to us and another to somebody else on the way (RFC 9112, section 3.2), and what a web page sends.
    ///
    /// A request with a length and chunks does not get here as such: hyper drops the length and closes the connection after the answer.
    pub fn check(&self, head: &Parts) -> Result<(), GuardError> {
        let mut hosts = head.headers.get_all(HOST).iter();
        let host = hosts.next();
        if hosts.next().is_some() {
            return Err(GuardError::ManyHosts);
        }
        if matches!(head.method, Method::CONNECT | Method::TRACE) {
            return Err(GuardError::Method(head.method.clone()));
        }
        if let Some(host) = host {
            self.recognize(host.to_str().map_err(|_| GuardError::NoHostName)?)?;
        }
        // A target may name the host as well; what is addressed to a proxy does.
        if let Some(authority) = head.uri.authority() {
            self.recognize(authority.as_str())?;
        }
        match self.browsers {
            Browsers::Allow => Ok(()),
            Browsers::Deny => comes_from_no_page(&head.headers),
        }
    }

    /// Whether this is a name of ours. None at all is what programs of HTTP/1.0 send, and no browser.
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
            Self::ManyHosts | Self::NoHostName => Kind::BadRequest,
            Self::Method(_) => Kind::MethodNotAllowed,
            Self::UnknownHost(_) => Kind::UnknownHost,
            Self::Browser(_) => Kind::NotAllowed,
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

/// In full and without the domain.
fn of_this_machine() -> impl Iterator<Item = String> {
    let full = HostName::of_this_machine();
    let short = full.as_ref().and_then(HostName::short);
    full.into_iter().chain(short).map(|name| name.to_string())
}

/// An authority's host, without port and brackets. What is no authority keeps what makes it none.
fn host_of(authority: &str) -> &str {
    let (host, rest) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some(bracketed) => bracketed,
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let is_port =
        |rest: &str| rest.strip_prefix(':').is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    if rest.is_empty() || is_port(rest) { host } else { authority }
}

/// Whether it is an IP address; one of version 6 may name its interface (`fe80::1%eth0`).
fn is_address(host: &str) -> bool {
    let (address, _) = host.split_once('%').unwrap_or((host, ""));
    host.parse::<IpAddr>().is_ok() || address.parse::<Ipv6Addr>().is_ok()
}

/// Programs say nothing of where they come from. A browser does when a page makes it ask, and of a page of ours or an address that was typed
/// in, it says so.
fn comes_from_no_page(headers: &HeaderMap) -> Result<(), GuardError> {
    if headers.contains_key(ORIGIN) {
        return Err(GuardError::Browser("Origin"));
    }
    let mut sites = headers.get_all("sec-fetch-site").iter();
    if sites.all(|site| matches!(site.as_bytes(), b"none" | b"same-origin")) {
        return Ok(());
    }
    Err(GuardError::Browser("Sec-Fetch-Site"))
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
        let guard = Guard { browsers: Browsers::Deny, names: vec!["*.contoso.local".to_owned(), "Erp".to_owned()] };
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
        for wrong in ["u@erp", "erp:x", ":80", "[::1]x", "a b", "."] {
            assert_eq!(guard.recognize(wrong), Err(GuardError::NoHostName), "{wrong}");
        }
    }
}
