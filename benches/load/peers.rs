//! The proxies that are compared, each a child process with a configuration of its own.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bcproxy::secret::Secret;
use bcproxy::users::{StoredHash, UserEntry, UsersFile};
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::Result;
use crate::upstream::{COMPANY, COMPANY_ID, ENVIRONMENT, LINKS, ResponseKind, TENANT, Upstream};

/// A proxy to measure.
#[derive(Clone)]
pub struct Peer {
    pub name: String,
    pub kind: Kind,
    /// Whether it logs every request.
    pub logs: bool,
    /// Whether its clients speak TLS to it.
    pub secured: bool,
    /// How many threads bcproxy has for its work; nginx has one process.
    pub workers: usize,
    /// Where its admin listener is, if it has one.
    pub admin: Option<SocketAddr>,
    /// How many files bcproxy may open, if fewer than this process.
    pub files: Option<u64>,
    /// Whether bcproxy has the route [`GUARDED`], besides the one for everybody.
    pub guarded: bool,
}

#[derive(Clone)]
pub enum Kind {
    Bcproxy {
        binary: PathBuf,
        /// `limits` of its connector: none that hold anybody up.
        limits: &'static str,
    },
    /// `rewrites`: whether it turns the addresses in answers, with `sub_filter`.
    Nginx { rewrites: bool },
}

/// A proxy at work. Dropping it ends the process.
pub struct Running {
    pub address: SocketAddr,
    /// What secures the way to it, if anything does.
    pub tls: Option<Arc<ClientConfig>>,
    /// From the start of the process to the last byte of a first 200.
    pub first_response_after: Duration,
    process: Child,
}

impl Peer {
    /// The same, spoken to over TLS.
    pub fn over_tls(&self) -> Self {
        Self { name: format!("{}, TLS", self.name), secured: true, ..self.clone() }
    }

    /// The same with so many threads.
    pub fn on_threads(&self, workers: usize) -> Self {
        Self { workers, ..self.clone() }
    }

    /// The same with an admin listener.
    pub fn with_admin(&self, address: SocketAddr) -> Self {
        Self { admin: Some(address), ..self.clone() }
    }

    /// The same, with so many files.
    pub fn with_files(&self, files: u64) -> Self {
        Self { files: Some(files), ..self.clone() }
    }

    /// The same, with a route that asks for a password.
    pub fn guarded(&self) -> Self {
        Self { guarded: true, ..self.clone() }
    }

    /// The same with limits that hold nobody up, and with none; nothing for a proxy that knows no limits.
    pub fn with_and_without_limits(&self) -> Vec<Self> {
        let Kind::Bcproxy { binary, .. } = &self.kind else { return Vec::new() };
        let with = |limits, what| {
            let kind = Kind::Bcproxy { binary: binary.clone(), limits };
            Self { name: format!("{}, {what}", self.name), kind, ..self.clone() }
        };
        vec![with(WIDE, "limits"), with("off", "limits: off")]
    }

    /// Starts it and waits for its first answer.
    pub fn start(&self, upstream: &Upstream, folder: &Path) -> Result<Running> {
        let mut running = self.spawn(upstream, folder)?;
        let asked = Instant::now();
        while !responses(&running) {
            if let Some(status) = running.process.try_wait()? {
                return Err(
                    format!("{} ended at once ({status}); its log is in {}", self.name, folder.display()).into()
                );
            }
            if asked.elapsed() > Duration::from_secs(20) {
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
        if self.guarded {
            fs::write(folder.join("users.txt"), users()?)?;
        }
        // Free now; whoever takes it before the proxy does fails this run with a clear message.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let log = fs::File::create(folder.join("stderr.log"))?;
        let mut command = match &self.kind {
            Kind::Bcproxy { binary, limits } => {
                fs::write(folder.join("secret.txt"), "simulated")?;
                fs::write(folder.join("proxy.yaml"), bcproxy_config(self, address, upstream, limits))?;
                let mut command = match self.files {
                    Some(files) => {
                        let mut limited = Command::new("prlimit");
                        limited.arg(format!("--nofile={files}:{files}")).arg(binary);
                        limited
                    }
                    None => Command::new(binary),
                };
                command
                    .env("TOKIO_WORKER_THREADS", self.workers.to_string())
                    .arg("--config")
                    .arg(folder.join("proxy.yaml"));
                command
            }
            Kind::Nginx { rewrites } => {
                fs::write(folder.join("nginx.conf"), nginx_config(self, address, upstream, folder, *rewrites))?;
                let mut command = Command::new("nginx");
                command.arg("-p").arg(folder).arg("-c").arg(folder.join("nginx.conf"));
                command.arg("-e").arg(folder.join("error.log"));
                command
            }
        };
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?;
        let tls = self.secured.then(|| upstream.client_tls.clone());
        Ok(Running { address, tls, first_response_after: Duration::ZERO, process })
    }
}

pub fn has_nginx() -> bool {
    let asked = Command::new("nginx").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

/// Whether a GET on a connection of its own comes back with 200. The first one fetches token and company, so patience
/// is needed.
fn responses(proxy: &Running) -> bool {
    let ask = || -> Result<bool> {
        let socket = TcpStream::connect(proxy.address)?;
        socket.set_read_timeout(Some(Duration::from_secs(20)))?;
        match &proxy.tls {
            None => is_answered(socket),
            Some(tls) => {
                let session = ClientConnection::new(tls.clone(), "localhost".try_into()?)?;
                is_answered(StreamOwned::new(session, socket))
            }
        }
    };
    ask().unwrap_or(false)
}

fn is_answered(mut stream: impl Read + Write) -> Result<bool> {
    let path = path_of(ResponseKind::Small);
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut response = Vec::new();
    stream.read_to_end(&mut response)?;
    Ok(response.starts_with(b"HTTP/1.1 200"))
}

/// Where a client finds an answer, at every peer.
pub fn path_of(response: ResponseKind) -> String {
    match response {
        ResponseKind::Soap => format!("/soap/Page/{}", response.name()),
        _ => format!("/api/{}?$top=1", response.name()),
    }
}

/// A file with the user `anna`.
fn users() -> Result<String> {
    let mut file = UsersFile::default();
    let hash = StoredHash::of_password(&Secret::new("right".to_owned())).map_err(|_| "no random numbers")?;
    file.set(UserEntry { name: "anna".parse()?, hash });
    Ok(file.expose())
}

fn bcproxy_config(peer: &Peer, address: SocketAddr, upstream: &Upstream, limits: &str) -> String {
    let Peer { logs, secured, admin, guarded, .. } = peer;
    let routes = match guarded {
        true => format!(
            "users: users.txt
routes: [ {{ path: /api, to: api/v2.0 }}, {{ path: {GUARDED}, to: api/v2.0, client_auth: basic }} ]
"
        ),
        false => String::new(),
    };
    let admin = admin.map_or("off".to_owned(), |address| format!("{{ listen: '{address}' }}"));
    let origin = format!("https://localhost:{}", upstream.address.port());
    let tls = if *secured { ", tls: { certificate: ca.pem, private_key: key.pem }" } else { "" };
    format!(
        "listen: [{{ address: '{address}'{tls} }}]
admin: {admin}
connectors:
  cronus:
    tenant_id: {TENANT}
    client_id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301
    client_secret: {{ file: secret.txt }}
    environment: {ENVIRONMENT}
    company: {COMPANY}
    authority: {origin}
    base_url: {origin}
    ca_file: ca.pem
    limits: {limits}
log: {{ format: json, requests: {logs} }}
{routes}"
    )
}

/// nginx as somebody would tune it who knows that pages are large and handshakes dear.
///
/// One process without a master: the same event loop, and nothing is left behind when it is ended.
fn nginx_config(peer: &Peer, address: SocketAddr, upstream: &Upstream, folder: &Path, rewrites: bool) -> String {
    let Peer { logs, secured, .. } = *peer;
    let folder = folder.display();
    let authorization = upstream.authorization();
    let port = upstream.address.port();
    let access_log = if logs { format!("{folder}/access.log") } else { "off".to_owned() };
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("    {kind}_temp_path {folder}/{kind};\n"))
        .concat();
    let company = COMPANY.replace(' ', "%20");
    // OData's content type has parameters, which only `*` matches.
    let filter = format!(
        "sub_filter_types *;
            sub_filter_once off;
            sub_filter '{LINKS}/companies({COMPANY_ID})' 'http://{address}/api';
            sub_filter '{LINKS}' 'http://{address}/api';"
    );
    let filter = if rewrites { filter.as_str() } else { "" };
    let (ssl, certificate) = match secured {
        true => (" ssl", format!("ssl_certificate {folder}/ca.pem; ssl_certificate_key {folder}/key.pem;")),
        false => ("", String::new()),
    };
    format!(
        "daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
events {{ worker_connections 12000; }}
http {{
{temporary}    access_log {access_log};
    keepalive_timeout 300s;
    keepalive_requests 100000000;
    upstream business_central {{
        server 127.0.0.1:{port};
        keepalive 64;
        keepalive_requests 100000000;
    }}
    gunzip on;
    server {{
        listen {address}{ssl} backlog=4096;
        {certificate}
        proxy_http_version 1.1;
        proxy_set_header Connection \"\";
        proxy_set_header Host localhost:{port};
        proxy_set_header Authorization \"{authorization}\";
        proxy_buffers 32 64k;
        proxy_buffer_size 64k;
        proxy_max_temp_file_size 0;
        proxy_ssl_protocols TLSv1.2 TLSv1.3;
        proxy_ssl_server_name on;
        proxy_ssl_name localhost;
        proxy_ssl_verify on;
        proxy_ssl_trusted_certificate {folder}/ca.pem;
        location /api/ {{
            {filter}
            proxy_pass https://business_central/v2.0/{TENANT}/{ENVIRONMENT}/api/v2.0/companies({COMPANY_ID})/;
        }}
        location /soap/ {{
            proxy_pass https://business_central/v2.0/{TENANT}/{ENVIRONMENT}/WS/{company}/;
        }}
    }}
}}
"
    )
}

impl Running {
    /// User and system time of all its threads.
    pub fn cpu(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        // The name before the last parenthesis may hold anything; utime and stime are the 14th and 15th field of all.
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let ticks = after_name
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(str::parse::<u64>)
            .sum::<std::result::Result<u64, _>>()?;
        Ok(Duration::from_millis(ticks * (1000 / TICKS_PER_SECOND)))
    }

    /// How many connections it has from clients.
    pub fn clients(&self) -> Result<usize> {
        // Local address, remote address and state follow the number of the row.
        let is_open = |row: &&str| {
            let mut fields = row.split_whitespace().skip(1);
            let port = fields.next().and_then(|local| u16::from_str_radix(local.rsplit(':').next()?, 16).ok());
            port == Some(self.address.port()) && fields.nth(1) == Some(ESTABLISHED)
        };
        Ok(fs::read_to_string("/proc/net/tcp")?.lines().filter(is_open).count())
    }

    /// How many files it has open, with its connections.
    pub fn open_files(&self) -> Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.process.id()))?.count())
    }

    /// Resident memory now and at its highest, in KiB.
    pub fn memory(&self) -> Result<(u64, u64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let field = |name: &str| -> Result<u64> {
            let value = status.lines().find_map(|line| line.strip_prefix(name)).ok_or(format!("no {name} in /proc"))?;
            Ok(value.trim().trim_end_matches(" kB").parse()?)
        };
        Ok((field("VmRSS:")?, field("VmHWM:")?))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails only when it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Limits that hold nobody up: keeping them costs what it costs.
pub const WIDE: &str = "{ concurrency: 1000, requests: 1000000 per 1s }";

/// A connection that is open in both directions, in `/proc/net/tcp`.
const ESTABLISHED: &str = "01";

/// What the kernel promises to programs, whatever its own clock.
const TICKS_PER_SECOND: u64 = 100;

/// A route that asks for a password.
pub const GUARDED: &str = "/guarded";
