//! bcproxy as a peer: any binary, with the settings that a part needs.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use bcproxy::secret::Secret;
use bcproxy::users::{StoredHash, UserEntry, UsersFile};

use super::Peer;
use crate::Result;
use crate::upstream::{COMPANY, ENVIRONMENT, TENANT, Upstream};

#[derive(Clone)]
pub struct Settings {
    pub binary: PathBuf,
    /// `limits` of its connectors: none that delay a request.
    pub limits: &'static str,
    /// Where its admin listener is, if it has one.
    pub admin: Option<SocketAddr>,
    /// How many files it may open, if fewer than this process.
    pub files: Option<u64>,
    /// Whether it has the route [`GUARDED`], besides the one for everybody.
    pub guarded: bool,
    /// How many connectors it has, each of a tenant of its own and with a route; at least 1.
    pub connectors: usize,
    /// How many routes lead to the first connector; 0 for those that bcproxy has by default.
    pub routes: usize,
}

impl Settings {
    pub fn new(binary: PathBuf) -> Self {
        Self { binary, limits: WIDE, admin: None, files: None, guarded: false, connectors: 1, routes: 0 }
    }

    pub(super) fn command(
        &self,
        peer: &Peer,
        address: SocketAddr,
        upstream: &Upstream,
        folder: &Path,
    ) -> Result<Command> {
        fs::write(folder.join("secret.txt"), "simulated")?;
        if self.guarded {
            fs::write(folder.join("users.txt"), users()?)?;
        }
        fs::write(folder.join("proxy.yaml"), self.configuration(peer, address, upstream))?;
        let mut command = match self.files {
            Some(files) => {
                let mut limited = Command::new("prlimit");
                limited.arg(format!("--nofile={files}:{files}")).arg(&self.binary);
                limited
            }
            None => Command::new(&self.binary),
        };
        command.env("TOKIO_WORKER_THREADS", peer.workers.to_string()).arg("--config").arg(folder.join("proxy.yaml"));
        Ok(command)
    }

    fn configuration(&self, peer: &Peer, address: SocketAddr, upstream: &Upstream) -> String {
        let Peer { logs, secured, .. } = peer;
        let admin = self.admin.map_or("off".to_owned(), |address| format!("{{ listen: '{address}' }}"));
        let tls = if *secured { ", tls: { certificate: ca.pem, private_key: key.pem }" } else { "" };
        let users = if self.guarded { "users: users.txt\n" } else { "" };
        let connectors: String = (0..self.connectors).map(|number| self.connector(number, upstream)).collect();
        let routes = self.routes();
        format!(
            "listen: [{{ address: '{address}'{tls} }}]
admin: {admin}
log: {{ format: json, requests: {logs} }}
{users}connectors:
{connectors}{routes}"
        )
    }

    fn connector(&self, number: usize, upstream: &Upstream) -> String {
        let limits = self.limits;
        let origin = format!("https://localhost:{}", upstream.address.port());
        // The first is `TENANT`, which ends with 0001.
        let tenant = format!("{}{:04x}", TENANT.trim_end_matches("0001"), number + 1);
        format!(
            "  cronus{number}:
    tenant_id: {tenant}
    client_id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301
    client_secret: {{ file: secret.txt }}
    environment: {ENVIRONMENT}
    company: {COMPANY}
    authority: {origin}
    base_url: {origin}
    ca_file: ca.pem
    limits: {limits}
"
        )
    }

    /// `routes`, or nothing for those that bcproxy has by default.
    fn routes(&self) -> String {
        if self.routes == 0 && self.connectors == 1 && !self.guarded {
            return String::new();
        }
        let route =
            |path: &str, more: String| format!("  - {{ path: {path}, to: api/v2.0, connector: cronus{more} }}\n");
        let mut routes = format!("routes:\n{}", route("/api", "0".to_owned()));
        if self.guarded {
            routes += &route(GUARDED, "0, client_auth: basic".to_owned());
        }
        routes.extend((1..self.routes).map(|number| route(&format!("/route{number}"), "0".to_owned())));
        routes.extend((1..self.connectors).map(|number| route(&format!("/connector{number}"), number.to_string())));
        routes
    }
}

/// A file with the user `anna`.
fn users() -> Result<String> {
    let mut file = UsersFile::default();
    let hash = StoredHash::of_password(&Secret::new("right".to_owned())).map_err(|_| "no random numbers")?;
    file.set(UserEntry { name: "anna".parse()?, hash });
    Ok(file.expose())
}

/// Limits that delay no request: keeping them costs what it costs.
pub const WIDE: &str = "{ concurrency: 1000, requests: 1000000 per 1s }";

/// A route that asks for a password.
pub const GUARDED: &str = "/guarded";
