//! The proxy, a child process under Callgrind.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::Result;
use crate::client;
use crate::counts::Counts;
use crate::idle::Idle;
use crate::responses::COMPANY;
use crate::upstream::Upstream;

/// What the proxy does besides serving requests.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Setup {
    Quiet,
    /// Writes a line for each request, to nowhere.
    Logged,
    /// Sends traces of one request in a hundred to a collector, which is the upstream.
    Exported,
    /// Has an admin listener, to which the requests of the row go.
    Watched,
}

/// A proxy at work. Dropping it ends the process.
pub struct Proxy {
    pub address: SocketAddr,
    /// Where it speaks TLS.
    pub tls_address: SocketAddr,
    /// Where the admin listener is, if there is one.
    pub admin: SocketAddr,
    pub tls: TlsConnector,
    pub idle: Idle,
    process: Child,
    folder: PathBuf,
    dumps: usize,
}

impl Proxy {
    /// Starts it and waits until it serves requests. `folder`: for a folder of its own.
    pub async fn start(binary: &Path, setup: Setup, upstream: &Upstream, folder: &Path) -> Result<Self> {
        // Free now; whoever takes them before the proxy does fails this run with a clear message.
        let free = || TcpListener::bind("127.0.0.1:0");
        let sockets = [free()?, free()?, free()?];
        let [plain, secured, admin] = &sockets;
        let (address, tls_address, admin) = (plain.local_addr()?, secured.local_addr()?, admin.local_addr()?);
        drop(sockets);
        let folder = folder.join(address.port().to_string());
        // The proxy watches the folder of its configuration: dumps written there would keep it busy.
        let settings = folder.join("configuration");
        fs::create_dir_all(&settings)?;
        fs::write(settings.join("localhost.pem"), &upstream.certificate)?;
        fs::write(settings.join("key.pem"), &upstream.private_key)?;
        fs::write(settings.join("secret.txt"), "simulated")?;
        let configuration = configuration(address, tls_address, admin, upstream.port, setup);
        fs::write(settings.join("proxy.yaml"), configuration)?;
        let standard_error = match setup {
            Setup::Quiet | Setup::Exported | Setup::Watched => {
                Stdio::from(fs::File::create(folder.join("stderr.log"))?)
            }
            Setup::Logged => Stdio::null(),
        };
        let process = Command::new("valgrind")
            .args(["--quiet", "--tool=callgrind", "--instr-atstart=no"])
            .args(["--compress-strings=no", "--compress-pos=no"])
            .arg(vgdb_prefix(&folder))
            .arg(format!("--callgrind-out-file={}", folder.join(DUMPS).display()))
            .arg(binary)
            .arg("--config")
            .arg(settings.join("proxy.yaml"))
            .env("TOKIO_WORKER_THREADS", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(standard_error)
            .kill_on_drop(true)
            .spawn()?;
        let (tls, idle) = (upstream.client_tls.clone(), upstream.idle.clone());
        let mut proxy = Self { address, tls_address, admin, tls, idle, process, folder, dumps: 0 };
        proxy.idle.watch_none();
        proxy.ready().await?;
        proxy.control(&["instrumentation", "on"]).await?;
        proxy.idle.watch(proxy.id()?);
        Ok(proxy)
    }

    fn id(&self) -> Result<u32> {
        Ok(self.process.id().ok_or("bcproxy has ended")?)
    }

    /// The first response comes when token and company are there.
    async fn ready(&mut self) -> Result<()> {
        let begun = Instant::now();
        while !client::is_served(self.address).await {
            let folder = self.folder.display();
            if let Some(status) = self.process.try_wait()? {
                return Err(format!("bcproxy ended at once ({status}); its log is in {folder}").into());
            }
            if begun.elapsed() > LONGEST_START {
                return Err(format!("bcproxy does not respond; its log is in {folder}").into());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Forgets what was counted so far.
    pub async fn zero(&self) -> Result<()> {
        self.control(&["zero"]).await
    }

    /// What was counted since [`zero`](Self::zero) or the last call.
    pub async fn counts(&mut self) -> Result<Counts> {
        self.control(&["dump"]).await?;
        self.dumps += 1;
        Counts::read(&fs::read_to_string(self.folder.join(format!("{DUMPS}.{}", self.dumps)))?)
    }

    /// Ends it in order: a program that records a profile writes it at its end.
    pub async fn stop(mut self) -> Result<()> {
        self.idle.watch_none();
        let sent = Command::new("kill").args(["-s", "TERM", &self.id()?.to_string()]).status().await?;
        if !sent.success() {
            return Err("bcproxy can't be stopped".into());
        }
        timeout(LONGEST_START, self.process.wait()).await.map_err(|_| "bcproxy does not stop")??;
        Ok(())
    }

    /// Sends a command to Callgrind, as callgrind_control does.
    async fn control(&self, command: &[&str]) -> Result<()> {
        self.idle.wait().await?;
        let mut vgdb = Command::new("vgdb");
        // It waits so long for the proxy to look; then it interrupts the proxy, which sleeps here.
        vgdb.arg("--max-invoke-ms=2");
        vgdb.arg(vgdb_prefix(&self.folder)).arg(format!("--pid={}", self.id()?)).args(command).kill_on_drop(true);
        let output = timeout(LONGEST_COMMAND, vgdb.output()).await.map_err(|_| "vgdb does not end")??;
        if output.status.success() {
            return Ok(());
        }
        let message = String::from_utf8_lossy(&output.stderr);
        Err(format!("vgdb can't send {} to Callgrind ({}): {message}", command.join(" "), output.status).into())
    }
}

/// The option for the pipes between Callgrind and vgdb, which a killed process leaves behind.
fn vgdb_prefix(folder: &Path) -> String {
    format!("--vgdb-prefix={}", folder.join("vgdb").display())
}

/// A configuration with a route to each surface, and limits that delay no request.
fn configuration(
    address: SocketAddr,
    tls_address: SocketAddr,
    admin: SocketAddr,
    upstream_port: u16,
    setup: Setup,
) -> String {
    let origin = format!("https://localhost:{upstream_port}");
    let logs_requests = setup == Setup::Logged;
    let admin = if setup == Setup::Watched { format!("{{ listen: {admin} }}") } else { "off".to_owned() };
    let telemetry = match setup {
        Setup::Exported => {
            format!("telemetry: {{ otlp: {{ endpoint: {origin}, ca_file: localhost.pem, traces: 1%, metrics: off }} }}")
        }
        Setup::Quiet | Setup::Logged | Setup::Watched => String::new(),
    };
    format!(
        "listen:
  - {address}
  - {{ address: '{tls_address}', tls: {{ certificate: localhost.pem, private_key: key.pem }} }}
admin: {admin}
connectors:
  bench:
    tenant_id: 5d2c1f6e-0b7a-4c39-9e84-71a3c0de0001
    client_id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301
    client_secret: {{ file: secret.txt }}
    environment: Production
    company: {COMPANY}
    authority: {origin}
    base_url: {origin}
    ca_file: localhost.pem
    limits: {{ concurrency: 1000, requests: 1000000 per 1s }}
routes:
  - {{ path: /api, to: api/v2.0 }}
  - {{ path: /warehouse, to: api/contoso/warehouse/v1.0 }}
  - {{ path: /odata, to: odata }}
  - {{ path: /soap, to: soap }}
  - {{ path: /nav, to: nav }}
  - {{ path: /environment, to: environment }}
  - {{ path: /cached, to: api/v2.0, cache: 1h }}
log: {{ format: json, requests: {logs_requests} }}
{telemetry}
"
    )
}

/// The name of Callgrind's dumps, before their number.
const DUMPS: &str = "callgrind.out";

const LONGEST_START: Duration = Duration::from_secs(60);
const LONGEST_COMMAND: Duration = Duration::from_secs(60);
