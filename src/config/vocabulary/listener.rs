//! The keys of a listener.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::config::shape::form::{Form, Shape};
use crate::config::shape::mapping::mapping;
use crate::config::shape::read::{At, read_at};
use crate::config::yaml::node::{Node, Value};
use crate::config::yaml::report::Report;

mapping! {
    /// An address that clients connect to.
    ListenerKeys: "listener" {
        /// An IP address and a port.
        address: SocketAddr = Required,
        /// The certificate for HTTPS (TLS 1.2 and 1.3). Without it, the listener serves HTTP.
        tls: ListenerTlsKeys = Optional,
    }
}

mapping! {
    /// The certificate of an HTTPS listener. `bcproxy certificate` creates both files. bcproxy reloads them when they
    /// change.
    ListenerTlsKeys: "tls section" {
        /// A PEM file with the server's certificate, followed by the intermediate certificates, if any.
        /// Relative to the folder of `proxy.yaml`.
        certificate: PathBuf = Required,
        /// A PEM file with the private key of the certificate, without a password.
        /// Relative to the folder of `proxy.yaml`.
        private_key: PathBuf = Required,
    }
}

/// An address that clients connect to, in its short or its full form.
#[derive(Debug)]
pub struct ListenerEntry {
    pub address: At<SocketAddr>,
    pub tls: Option<At<ListenerTlsKeys>>,
}

impl Shape for ListenerEntry {
    fn form() -> Form {
        Form::Short { text: Box::new(SocketAddr::form()), full: Box::new(ListenerKeys::form()) }
    }

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        if !matches!(node.value, Value::Mapping(_)) {
            return Some(Self { address: read_at(node, report)?, tls: None });
        }
        let item = ListenerKeys::read(node, report)?;
        Some(Self { address: item.address?, tls: item.tls })
    }
}
