//! The keys of an outbound proxy.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::json;

use super::scalars::{ScalarError, Text};
use super::secret::{SecretKeys, SecretLocation, read_location};
use crate::config::model::host_name::HostName;
use crate::config::shape::form::{Form, Shape};
use crate::config::shape::mapping::mapping;
use crate::config::shape::read::{At, read_at, text_at};
use crate::config::yaml::node::{Node, Value};
use crate::config::yaml::report::Report;
use crate::outbound::{ProxyAddress, ProxyAddressError};

mapping! {
    /// A proxy for connections to Entra and Business Central (HTTP `CONNECT`).
    /// Set a user name and password if the proxy requires them (Basic authentication).
    OutboundServerKeys: "outbound proxy" {
        /// The address of the proxy: `http://host:port`. Without a port, it is port 80.
        url: ProxyAddress = Required,
        /// The user name.
        user: Text = Optional,
        /// Where the password is stored. Never write the password itself in this file.
        /// bcproxy reads the password again for every connection.
        password: PasswordKey = Optional,
        /// What bcproxy reaches without the proxy, as in `NO_PROXY`.
        /// Possible are hosts, domains with their subdomains (`contoso.local`), addresses and networks (`10.0.0.0/8`).
        /// This machine (`localhost`, `127.0.0.0/8`, `::1`) never needs the proxy.
        except: Vec<At<Exception>> = Optional,
    }
}

/// The word `off`, an address, or a mapping with an address and more.
#[derive(Debug)]
pub enum OutboundProxyKey {
    Off,
    Server(Box<OutboundServerKeys>),
}

impl Shape for OutboundProxyKey {
    fn form() -> Form {
        let (text, full) = (Box::new(ProxyAddress::form()), Box::new(OutboundServerKeys::form()));
        Form::OrOff(Box::new(Form::Short { text, full }))
    }

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        if node.text() == Some("off") {
            return Some(Self::Off);
        }
        if matches!(node.value, Value::Mapping(_)) {
            return OutboundServerKeys::read(node, report).map(|server| Self::Server(Box::new(server)));
        }
        let url = read_at(node, report)?;
        let server = OutboundServerKeys { url: Some(url), user: None, password: None, except: None };
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
            .map_err(|reason: ProxyAddressError| {
                // The address may hold a password.
                report.mask(node.span);
                report.error(node.span, "this is not an address of the form http://host:port", reason.to_string());
            })
            .ok()
    }
}

/// Where the password is stored. `None` for an invalid location, which is reported, to distinguish it from an absent
/// one.
#[derive(Debug)]
pub struct PasswordKey(pub Option<SecretLocation>);

impl Shape for PasswordKey {
    fn form() -> Form {
        SecretKeys::form()
    }

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        let location = read_location(node, "password: { env: PROXY_PASSWORD }", report);
        Some(Self(location.map(|(location, _)| location)))
    }
}

/// A host, a domain, an address, a network, or `*` for all of them.
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
            report.error(node.span, "this is not a host, a domain or a network", ScalarError::Exception.to_string());
        }
        is_one.then(|| Self(text.to_owned()))
    }
}
