//! The proxies that are compared, each a child process with a configuration of its own.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;
use crate::upstream::{Answer, COMPANY, COMPANY_ID, ENVIRONMENT, LINKS, TENANT, Upstream};

/// A proxy to measure.
#[derive(Clone)]
pub struct Peer {
    pub name: String,
    pub kind: Kind,
    /// Whether it logs every request.
    pub logs: bool,
}

#[derive(Clone)]
pub enum Kind {
    Bcproxy(PathBuf),
    /// `turns`: whether it turns the addresses in answers, with `sub_filter`.
    Nginx {
        turns: bool,
    },
}

/// A proxy at work. Dropping it ends the process.
pub struct Running {
    pub address: SocketAddr,
    /// From the start of the process to the last byte of a first 200.
    pub first_answer_after: Duration,
    process: Child,
}

impl Peer {
    /// Starts it and waits for its first answer.
    pub fn start(&self, upstream: &Upstream, folder: &Path) -> Result<Running> {
        let mut running = self.spawn(upstream, folder)?;
        let asked = Instant::now();
        while !answers(running.address) {
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
        running.first_answer_after = asked.elapsed();
        Ok(running)
    }

    /// Starts it and waits for nothing.
    pub fn spawn(&self, upstream: &Upstream, folder: &Path) -> Result<Running> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join("ca.pem"), &upstream.ca_pem)?;
        // Free now; whoever takes it before the proxy does fails this run with a clear message.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let log = fs::File::create(folder.join("stderr.log"))?;
        let mut command = match &self.kind {
            Kind::Bcproxy(binary) => {
                fs::write(folder.join("secret.txt"), "simulated")?;
                fs::write(folder.join("proxy.yaml"), bcproxy_config(address, upstream, self.logs))?;
                let mut command = Command::new(binary);
                // One worker, as for the others.
                command.env("TOKIO_WORKER_THREADS", "1").arg("--config").arg(folder.join("proxy.yaml"));
                command
            }
            Kind::Nginx { turns } => {
                fs::write(folder.join("nginx.conf"), nginx_config(address, upstream, folder, self.logs, *turns))?;
                let mut command = Command::new("nginx");
                command.arg("-p").arg(folder).arg("-c").arg(folder.join("nginx.conf"));
                command.arg("-e").arg(folder.join("error.log"));
                command
            }
        };
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?;
        Ok(Running { address, first_answer_after: Duration::ZERO, process })
    }
}

pub fn has_nginx() -> bool {
    let asked = Command::new("nginx").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

/// Whether a GET on a connection of its own comes back with 200. The first one fetches token and company, so patience is needed.
fn answers(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(Duration::from_secs(20)))?;
        let path = path_of(Answer::Small);
        write!(socket, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer)?;
        Ok(answer.starts_with(b"HTTP/1.1 200"))
    };
    ask().unwrap_or(false)
}

/// Where a client finds an answer, at every peer.
pub fn path_of(answer: Answer) -> String {
    match answer {
        Answer::Soap => format!("/soap/Page/{}", answer.name()),
        _ => format!("/api/{}?$top=1", answer.name()),
    }
}

/// With limits that hold nobody up: keeping them costs what it costs.
fn bcproxy_config(address: SocketAddr, upstream: &Upstream, logs: bool) -> String {
    let origin = format!("https://localhost:{}", upstream.address.port());
    format!(
        "listen: {address}
admin: off
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
    limits: {{ concurrency: 1000, requests: 1000000 per 1s }}
log: {{ format: json, requests: {logs} }}
"
    )
}

/// nginx as somebody would tune it who knows that pages are large and handshakes dear.
///
/// One process without a master: the same event loop, and nothing is left behind when it is ended.
fn nginx_config(address: SocketAddr, upstream: &Upstream, folder: &Path, logs: bool, turns: bool) -> String {
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
    let filter = if turns { filter.as_str() } else { "" };
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
        listen {address} backlog=4096;
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

/// What the kernel promises to programs, whatever its own clock.
const TICKS_PER_SECOND: u64 = 100;
