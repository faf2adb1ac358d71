//! The proxies that are compared, each a child process with a configuration of its own.

pub mod bcproxy;
mod caddy;
mod envoy;
pub mod floor;
mod haproxy;
mod nginx;
mod running;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

pub use running::Running;

use crate::Result;
use crate::upstream::{COMPANY, COMPANY_ID, ENVIRONMENT, ResponseKind, TENANT, Upstream};

/// A proxy to measure.
#[derive(Clone)]
pub struct Peer {
    pub name: String,
    pub kind: Kind,
    /// Whether it logs every request.
    pub logs: bool,
    /// Whether its clients speak TLS to it: bcproxy and nginx only.
    pub secured: bool,
    /// How many threads bcproxy has for its work; all others have one.
    pub workers: usize,
}

#[derive(Clone)]
pub enum Kind {
    Bcproxy(bcproxy::Settings),
    /// `rewrites`: whether it rewrites links, with `sub_filter`.
    Nginx {
        rewrites: bool,
    },
    Haproxy,
    Envoy,
    Caddy,
    /// What hyper itself costs. The binary is a copy of this executable.
    Floor(PathBuf),
}

impl Peer {
    pub fn new(name: &str, kind: Kind) -> Self {
        Self { name: name.to_owned(), kind, logs: false, secured: false, workers: 1 }
    }

    /// The same, logging every request.
    pub fn logging(&self) -> Self {
        Self { name: format!("{}, logging requests", self.name), logs: true, ..self.clone() }
    }

    /// The same, spoken to over TLS.
    pub fn over_tls(&self) -> Self {
        Self { name: format!("{}, TLS", self.name), secured: true, ..self.clone() }
    }

    /// The same with so many threads.
    pub fn on_threads(&self, workers: usize) -> Self {
        Self { workers, ..self.clone() }
    }

    /// bcproxy with other settings; any other proxy unchanged.
    pub fn with(&self, change: impl FnOnce(&mut bcproxy::Settings)) -> Self {
        let mut peer = self.clone();
        if let Kind::Bcproxy(settings) = &mut peer.kind {
            change(settings);
        }
        peer
    }

    /// The same with limits that delay no request, and with none; nothing for a proxy that knows no limits.
    pub fn with_and_without_limits(&self) -> Vec<Self> {
        let with = |limits, what| {
            let name = format!("{}, {what}", self.name);
            Self { name, ..self.with(|settings| settings.limits = limits) }
        };
        if self.is_bcproxy() { vec![with(bcproxy::WIDE, "limits"), with("off", "limits: off")] } else { Vec::new() }
    }

    pub fn is_bcproxy(&self) -> bool {
        matches!(self.kind, Kind::Bcproxy(_))
    }

    /// Whether it rewrites the links in responses.
    pub fn rewrites(&self) -> bool {
        matches!(self.kind, Kind::Bcproxy(_) | Kind::Nginx { rewrites: true } | Kind::Floor(_))
    }

    /// Whether it decompresses gzip for clients that don't accept it.
    pub fn decompresses(&self) -> bool {
        matches!(self.kind, Kind::Bcproxy(_) | Kind::Nginx { .. })
    }

    /// Starts it and waits for its first answer.
    pub fn start(&self, upstream: &Upstream, folder: &Path) -> Result<Running> {
        let mut running = self.spawn(upstream, folder)?;
        let asked = Instant::now();
        while !running.responds() {
            if let Some(status) = running.ended()? {
                let log = fs::read_to_string(folder.join("stderr.log"))?;
                let reason = log.lines().next().unwrap_or_default();
                return Err(format!(
                    "{} ended at once ({status}): {reason}; its log is in {}",
                    self.name,
                    folder.display()
                )
                .into());
            }
            if asked.elapsed() > LONGEST_START {
                return Err(format!("{} does not answer; its log is in {}", self.name, folder.display()).into());
            }
            std::thread::sleep(Duration::from_micros(500));
        }
        running.first_response_after = asked.elapsed();
        Ok(running)
    }

    /// Starts it and waits for nothing.
    pub fn spawn(&self, upstream: &Upstream, folder: &Path) -> Result<Running> {
        fs::create_dir_all(folder)?;
        // The upstream's certificate is good for the proxies, too: all are called `localhost`.
        fs::write(folder.join("ca.pem"), &upstream.ca_pem)?;
        fs::write(folder.join("key.pem"), &upstream.key_pem)?;
        // Free now; whoever takes it before the proxy does fails this run with a clear message.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let log = fs::File::create(folder.join("stderr.log"))?;
        let mut command = match &self.kind {
            Kind::Bcproxy(settings) => settings.command(self, address, upstream, folder)?,
            Kind::Nginx { rewrites } => nginx::command(self, address, upstream, folder, *rewrites)?,
            Kind::Haproxy => haproxy::command(self, address, upstream, folder)?,
            Kind::Envoy => envoy::command(address, upstream, folder)?,
            Kind::Caddy => caddy::command(address, upstream, folder)?,
            Kind::Floor(binary) => floor::command(binary, address, upstream, folder),
        };
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?;
        let tls = self.secured.then(|| upstream.client_tls.clone());
        Ok(Running { address, tls, first_response_after: Duration::ZERO, process })
    }
}

/// The proxies beside bcproxy that this machine has; `binary` is the floor's. Says which are left out.
pub fn others(binary: PathBuf) -> Vec<Peer> {
    let mut peers = vec![Peer::new("bare hyper", Kind::Floor(binary))];
    let [nginx, haproxy, envoy, caddy] = ["nginx", "haproxy", "envoy", "caddy"].map(is_installed);
    if nginx {
        let nginx = Peer::new("nginx, static header", Kind::Nginx { rewrites: false });
        let filtering = Peer::new("nginx, sub_filter", Kind::Nginx { rewrites: true });
        peers.extend([nginx.clone(), nginx.logging(), filtering]);
    }
    if haproxy {
        let haproxy = Peer::new("HAProxy, static header", Kind::Haproxy);
        peers.extend([haproxy.clone(), haproxy.logging()]);
    }
    if envoy {
        peers.push(Peer::new("Envoy, OAuth2", Kind::Envoy));
    }
    if caddy {
        peers.push(Peer::new("Caddy, static header", Kind::Caddy));
    }
    peers
}

fn is_installed(name: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let is_installed = std::env::split_paths(&folders).any(|folder| folder.join(name).is_file());
    if !is_installed {
        println!("{name} is not installed: its rows are left out");
    }
    is_installed
}

/// Where a client finds a response, at every peer.
pub fn path_of(response: ResponseKind) -> String {
    match response {
        ResponseKind::Soap => format!("/soap/Page/{}", response.name()),
        ResponseKind::Batch => format!("/api/{}", response.name()),
        _ => format!("/api/{}?$top=1", response.name()),
    }
}

/// What `/api/` becomes at a proxy that replaces prefixes.
fn api_prefix() -> String {
    format!("/v2.0/{TENANT}/{ENVIRONMENT}/api/v2.0/companies({COMPANY_ID})/")
}

/// What `/soap/` becomes.
fn soap_prefix() -> String {
    format!("/v2.0/{TENANT}/{ENVIRONMENT}/WS/{}/", COMPANY.replace(' ', "%20"))
}

/// A proxy that has not answered by then is broken.
const LONGEST_START: Duration = Duration::from_secs(20);
