//! HAProxy in front of replicas, with the settings that docs/replicas.md shows.
#![allow(dead_code, reason = "no test program uses all of it")]

use std::net::SocketAddr;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::redis_server::free_port;
use crate::rig::within;

/// A running HAProxy. Dropping it kills it.
pub struct HaProxy {
    pub address: SocketAddr,
    _child: Child,
    _folder: TempDir,
}

/// A replica as HAProxy knows it.
#[derive(Debug, Clone, Copy)]
pub struct Server {
    pub address: SocketAddr,
    /// Where `/readyz` is.
    pub admin: SocketAddr,
}

/// How HAProxy forwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Each request by itself; reads are retried on another replica.
    Http,
    /// Each connection as it is, with its client's address in a PROXY protocol header.
    Tcp,
}

impl HaProxy {
    pub async fn start(mode: Mode, servers: &[Server]) -> Self {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("haproxy.cfg");
        for _ in 0..50 {
            let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
            std::fs::write(&file, configuration(mode, address, servers)).unwrap();
            let mut command = Command::new("haproxy");
            // One process, in the foreground.
            command.arg("-db").arg("-f").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let mut child = command.kill_on_drop(true).spawn().expect("install haproxy");
            if within(is_listening(address, &mut child)).await {
                return Self { address, _child: child, _folder: folder };
            }
        }
        panic!("haproxy does not start");
    }
}

/// Waits until it accepts connections; `false` if it has ended, such as because the port is taken.
async fn is_listening(address: SocketAddr, child: &mut Child) -> bool {
    loop {
        if TcpStream::connect(address).await.is_ok() {
            return true;
        }
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        tokio::task::yield_now().await;
    }
}

/// On the loopback interface, all clients would have the same address, and bcproxy believes no load balancer that names
/// a loopback address. So the clients of a test name theirs themselves: in `X-Forwarded-For`, or in a PROXY protocol
/// header of their own (`accept-proxy`).
fn configuration(mode: Mode, address: SocketAddr, servers: &[Server]) -> String {
    let (frontend, backend, server_settings) = match mode {
        Mode::Http => (
            format!("mode http\n    bind {address}"),
            "mode http
    retry-on conn-failure empty-response
    http-request disable-l7-retry unless METH_GET",
            "",
        ),
        Mode::Tcp => (format!("mode tcp\n    bind {address} accept-proxy"), "mode tcp", " send-proxy-v2"),
    };
    let servers: String = servers
        .iter()
        .enumerate()
        .map(|(number, Server { address, admin })| {
            format!(
                "    server replica{number} {address} check port {} inter 1s fall 2 rise 1{server_settings}\n",
                admin.port()
            )
        })
        .collect();
    format!(
        "defaults
    timeout connect 5s
    timeout check 10s
    timeout client 10m
    timeout server 10m
    retries 3
    option redispatch 1
frontend clients
    {frontend}
    default_backend replicas
backend replicas
    {backend}
    balance leastconn
    option httpchk
    http-check send meth GET uri /readyz hdr Host localhost
{servers}"
    )
}
