//! The request that is asked about.

use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use hyper::header::HOST;
use hyper::http::uri::Scheme;

use crate::config::{Config, Listener};
use crate::proxy::downstream::bind::LocalAddress;

/// A request that is asked about.
#[derive(Debug)]
pub struct Question {
    pub method: String,
    /// As a program would write it into its request line; may hold what an address can't.
    pub target: Vec<u8>,
    /// Lines: `Name: value`.
    pub headers: Vec<String>,
    pub client: IpAddr,
    /// `None` when it was not given.
    pub body: Option<Bytes>,
}

impl Question {
    /// The head as it would come in: with the `Host` of a client that reached us by our own address, unless the
    /// question names another.
    pub(super) fn head(&self, local: &LocalAddress) -> Vec<u8> {
        let names_host = self
            .headers
            .iter()
            .any(|line| line.split_once(':').is_some_and(|(name, _)| name.trim().eq_ignore_ascii_case(HOST.as_str())));
        let mut head = [self.method.as_bytes(), b" ", &self.target, b" HTTP/1.1\r\n"].concat();
        let host = (!names_host).then(|| format!("Host: {}", local.socket));
        for line in host.iter().chain(&self.headers) {
            head.extend_from_slice(line.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

/// Our own address as a client on this machine writes it.
pub(super) fn local_address(config: &Config) -> LocalAddress {
    let first = config.listen.first();
    let scheme = first.map_or(Scheme::HTTP, Listener::scheme);
    let mut socket = first.map_or((Ipv4Addr::LOCALHOST, 80).into(), |first| first.address);
    if socket.ip().is_unspecified() {
        socket.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    LocalAddress { scheme, socket }
}
