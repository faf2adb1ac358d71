//! What a connector says about the outbound proxy.

use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;
use serde_json::json;

use super::applications::secret_source;
use super::host_name::HostName;
use super::leaves::{LeafError, Text};
use super::node::{Node, Value};
use super::report::Report;
use super::shape::{At, Form, Shape, mapping, read_at, text_at};
use super::vocabulary::{Place, SecretPlace, read_place};
use crate::outbound::{self, Login, ProxyAddress, ProxyServer};

mapping! {
    /// A proxy that connections to Entra and Business Central go through (HTTP `CONNECT`), with a user name and password where it wants them
    /// (Basic).
    OutboundServer: "outbound proxy" {
        /// Its address: `http://host:port`. Without a port it is 80.
        url: ProxyAddress = Required,
        /// The user name.
        user: Text = Optional,
        /// Where the password is kept. It is never written in this file, and read again for every connection.
        password: Password = Optional,
        /// What is reached without it: hosts, domains with all below them (`contoso.local`), addresses and networks (`10.0.0.0/8`), as in
        /// `NO_PROXY`. This machine itself (`localhost`, `127.0.0.0/8`, `::1`) always is.
        except: Vec<At<Exception>> = Optional,
    }
}

/// The word `off`, an address, or an address and more.
#[derive(Debug)]
pub enum OutboundProxy {
    Off,
    Server(Box<OutboundServer>),
}

impl Shape for OutboundProxy {
    fn form() -> Form {
        let (text, full) = (Box::new(ProxyAddress::form()), Box::new(OutboundServer::form()));
        Form::OrOff(Box::new(Form::Short { text, full }))
    }

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        if node.text() == Some("off") {
            return Some(Self::Off);
        }
        if matches!(node.value, Value::Mapping(_)) {
            return OutboundServer::read(node, report).map(|server| Self::Server(Box::new(server)));
        }
        let url = read_at(node, report)?;
        let server = OutboundServer { url: Some(url), user: None, password: None, except: None };
        Some(Self::Server(Box::new(server)))
    }
}

impl Shape for ProxyAddress {
    fn form() -> Form {
        Form::Text {
            what: "an address of the form http://host:port",
            schema: json!({ "pattern": "^http://[^/?#@]+/?$", "examples": ["http://proxy.contoso.local:3128"] }),
        }
    }

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        let text = text_at(node, "an address of the form http://host:port, or `off`", report)?;
        let address = text.parse();
        address
            .map_err(|reason: outbound::ProxyAddressError| {
                // It may hold a password.
                report.mask(node.span);
                report.error(node.span, "this is not an address of the form http://host:port", reason.to_string());
            })
            .ok()
    }
}

/// Where the password is kept; `None` only after a mistake in it was reported, so that an absent one can be told from a wrong one.
#[derive(Debug)]
pub struct Password(pub Option<Place>);

impl Shape for Password {
    fn form() -> Form {
        SecretPlace::form()
    }

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        let place = read_place(node, "password: { env: PROXY_PASSWORD }", report);
        Some(Self(place.map(|(place, _)| place)))
    }
}

/// A host, a domain, an address, a network, or `*` for everything.
#[derive(Debug)]
pub struct Exception(pub String);

impl Shape for Exception {
    fn form() -> Form {
        Form::Text {
            what: "a host, a domain or a network",
            schema: json!({ "pattern": "^[^ ,/]+(/[0-9]+)?$", "examples": ["gateway.contoso.local", "10.0.0.0/8"] }),
        }
    }

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        let text = text_at(node, "a host, a domain or a network", report)?;
        let is_name = |text: &str| text.strip_prefix('.').unwrap_or(text).parse::<HostName>().is_ok();
        let is_one = text.parse::<IpNet>().is_ok() || text.parse::<IpAddr>().is_ok() || is_name(text) || text == "*";
        if !is_one {
            report.error(node.span, "this is not a host, a domain or a network", LeafError::Exception.to_string());
        }
        is_one.then(|| Self(text.to_owned()))
    }
}

/// What it means. `None` when something is missing or wrong.
pub fn outbound_proxy(
    wanted: Option<&At<OutboundProxy>>,
    folder: &Path,
    report: &mut Report,
) -> Option<outbound::OutboundProxy> {
    let server = match wanted.map(|wanted| &wanted.value) {
        None => return Some(outbound::OutboundProxy::OfEnvironment),
        Some(OutboundProxy::Off) => return Some(outbound::OutboundProxy::Off),
        Some(OutboundProxy::Server(server)) => server,
    };
    let login = match (&server.user, &server.password) {
        (Some(user), Some(password)) => {
            Some(Login { user: user.value.0.clone(), password: secret_source(password.value.0.as_ref()?, folder) })
        }
        (None, None) => None,
        (Some(At { label, .. }), None) => {
            report.error(*label, "there is a user name without a password", "add `password: { env: PROXY_PASSWORD }`");
            return None;
        }
        (None, Some(At { label, .. })) => {
            report.error(*label, "there is a password without a user name", "add `user`");
            return None;
        }
    };
    let except = server.except.iter().flat_map(|list| &list.value).map(|item| item.value.0.clone()).collect();
    Some(outbound::OutboundProxy::Server(ProxyServer { address: server.url.as_ref()?.value.clone(), login, except }))
}
