//! Several bcproxy processes with one shared store, behind HAProxy.
#![allow(dead_code, reason = "no test program uses all of it")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bcproxy::simulator::Simulator;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::haproxy::{HaProxy, Mode, Server};
use crate::process::{Ended, Process, message};
use crate::redis_server::{RedisServer, free_port};
use crate::rig::{Plan, Prepared, send, until, within};
use crate::store_link::StoreLink;

/// Events: the shared store is slow or away; it is back.
pub const AWAY: u16 = 411;
pub const BACK: u16 = 412;

/// Replicas and everything around them. Dropping it ends all of it.
pub struct Replicas {
    pub simulator: Simulator,
    pub store: RedisServer,
    pub replicas: Vec<Replica>,
    pub balancer: HaProxy,
    _folder: TempDir,
}

/// One bcproxy process.
pub struct Replica {
    /// `None` after it was stopped or killed.
    process: Option<Process>,
    pub address: SocketAddr,
    pub admin: SocketAddr,
    /// Its own path to the shared store.
    pub link: StoreLink,
    file: PathBuf,
}

/// Which replicas a test wants.
pub struct Layout {
    /// It has nothing about `admin`, `log` and `shared_limits`.
    plan: Plan,
    count: usize,
    mode: Mode,
    is_secured: bool,
    is_store_up: bool,
    /// How long the store may take; without one, the replicas share nothing.
    timeout: Option<&'static str>,
}

impl Layout {
    pub fn new(plan: Plan, count: usize, mode: Mode) -> Self {
        // All processes share few cores: a slow machine is not a slow store.
        Self { plan, count, mode, is_secured: false, is_store_up: true, timeout: Some("1s") }
    }

    /// The store speaks TLS only.
    pub fn secured(mut self) -> Self {
        self.is_secured = true;
        self
    }

    /// The store is away when the replicas start.
    pub fn without_store(mut self) -> Self {
        self.is_store_up = false;
        self
    }

    /// Without `shared_limits`.
    pub fn apart(mut self) -> Self {
        self.timeout = None;
        self
    }

    /// How long the store may take.
    pub fn timeout(mut self, timeout: &'static str) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Replicas that are ready.
    pub async fn start(self) -> Replicas {
        self.start_after(|_| {}).await
    }

    /// The same, with a change of the simulator or of files before the replicas start.
    pub async fn start_after(self, change: impl FnOnce(&Prepared)) -> Replicas {
        let Self { plan, count, mode, is_secured, is_store_up, timeout } = self;
        let plan = plan.top("admin: { listen: 127.0.0.1:0 }\nlog: { format: json, requests: false }");
        let prepared = plan.prepare().await;
        change(&prepared);
        let Prepared { simulator, folder, file } = prepared;
        let text = std::fs::read_to_string(&file).unwrap();
        let mut store = if is_secured { RedisServer::start_secured(&[]).await } else { RedisServer::start().await };
        if !is_store_up {
            store.kill().await;
        }
        let mut replicas = Vec::with_capacity(count);
        for number in 0..count {
            let link = StoreLink::start(store.port()).await;
            let file = folder.path().join(format!("replica{number}.yaml"));
            std::fs::write(&file, replica_text(&text, &store, &link, timeout)).unwrap();
            replicas.push(Replica::start(file, link).await);
        }
        if is_store_up && timeout.is_some() {
            for replica in &replicas {
                replica.sees(count).await;
            }
        }
        let servers: Vec<Server> = replicas.iter().map(Replica::server).collect();
        let balancer = HaProxy::start(mode, &servers).await;
        Replicas { simulator, store, replicas, balancer, _folder: folder }
    }
}

impl Replicas {
    /// Stops a replica in order, and waits until it has ended.
    pub async fn stop(&mut self, number: usize) -> Ended {
        let mut process = self.replicas[number].process.take().expect("it has ended");
        process.stop().await;
        process.end().await
    }

    /// Ends a replica with SIGKILL.
    pub async fn kill(&mut self, number: usize) {
        let process = self.replicas[number].process.take().expect("it has ended");
        process.signal("KILL").await;
        process.end().await;
    }

    /// Starts a replica again that has ended. It has the same ports, so HAProxy finds it.
    pub async fn restart(&mut self, number: usize) {
        let Replica { file, link, .. } = self.replicas.remove(number);
        self.replicas.insert(number, Replica::start(file, link).await);
    }

    /// Waits until the limiters of all replicas have so many requests in flight together, and the simulator
    /// has them. It may still have those of a replica that is gone.
    pub async fn in_flight(&self, count: u64) {
        within(async {
            loop {
                let mut in_flight = 0;
                for replica in self.replicas.iter().filter(|replica| replica.process.is_some()) {
                    in_flight += replica.limiter().await.0;
                }
                let arrived = self.simulator.business_central().concurrency() as u64;
                if in_flight == count && arrived >= count {
                    return;
                }
            }
        })
        .await;
    }

    /// Waits until every replica has logged this event.
    pub async fn event(&mut self, id: u16) {
        for replica in self.replicas.iter_mut().filter(|replica| replica.process.is_some()) {
            replica.event(id).await;
        }
    }
}

/// The file of a replica: with ports of its own that stay the same, and with its path to the store.
fn replica_text(text: &str, store: &RedisServer, link: &StoreLink, timeout: Option<&str>) -> String {
    let with_port = |text: &str, key: &str| {
        let (before, after) = text.split_once(key).unwrap_or_else(|| panic!("no {key} in {text}"));
        format!("{before}{key}{}", after.replacen("127.0.0.1:0", &format!("127.0.0.1:{}", free_port()), 1))
    };
    let text = with_port(&with_port(text, "listen:"), "admin:");
    let port = link.address().port();
    let store = match store.ca_file() {
        None => format!("url: 'redis://127.0.0.1:{port}'"),
        Some(ca_file) => format!("url: 'rediss://localhost:{port}', ca_file: '{}'", ca_file.display()),
    };
    match timeout {
        Some(timeout) => format!("{text}shared_limits: {{ {store}, timeout: {timeout} }}\n"),
        None => text,
    }
}

impl Replica {
    async fn start(file: PathBuf, link: StoreLink) -> Self {
        let mut process = Process::run(&file);
        let address = process.address().await;
        let line = process.log_line(|line| message(line).starts_with("status page on ")).await;
        let admin = message(&line).strip_prefix("status page on http://").and_then(|rest| rest.strip_suffix('/'));
        let admin = admin.unwrap().parse().unwrap();
        within(async { while send(admin, Method::GET, "/readyz?all", &[], "").await.status != 200 {} }).await;
        Self { process: Some(process), address, admin, link, file }
    }

    fn server(&self) -> Server {
        Server { address: self.address, admin: self.admin }
    }

    /// What its admin listener says.
    pub async fn status(&self) -> Value {
        send(self.admin, Method::GET, "/status.json", &[], "").await.json()
    }

    /// The next line of its log that meets a condition.
    pub async fn log_line(&mut self, condition: impl FnMut(&Value) -> bool) -> Value {
        self.process.as_mut().expect("it has ended").log_line(condition).await
    }

    /// Waits until it has logged this event.
    pub async fn event(&mut self, id: u16) {
        self.log_line(|line| line["event_id"] == id).await;
    }

    /// A metric, over all its labels.
    pub async fn metric(&self, name: &str) -> f64 {
        let text = send(self.admin, Method::GET, "/metrics", &[], "").await.text();
        assert!(text.contains(name.trim_end_matches("_total")), "no {name} in {text}");
        let values = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(name).filter(|rest| rest.starts_with(['{', ' ']))?;
            rest.rsplit(' ').next()?.parse::<f64>().ok()
        });
        values.sum()
    }

    /// Waits until it uses the shared store and knows of so many replicas, with itself. Before, it assumes two.
    pub async fn sees(&self, count: usize) {
        within(async {
            while self.metric("bcproxy_shared_store_up").await < 1.0
                || self.metric("bcproxy_shared_store_replicas").await != count as f64
            {}
        })
        .await;
    }

    /// Waits until it has finished so many requests since its start.
    pub async fn served(&self, requests: u32) {
        within(async { while self.metric("bcproxy_requests_total").await < f64::from(requests) {} }).await;
    }

    /// Whether its first limiter is paused.
    pub async fn is_paused(&self) -> bool {
        let status = self.status().await;
        !status["connectors"][0]["applications"][0]["limiter"]["pause_remaining"].is_null()
    }

    /// The requests that its first limiter has in flight and queued.
    pub async fn limiter(&self) -> (u64, u64) {
        let status = self.status().await;
        let limiter = &status["connectors"][0]["applications"][0]["limiter"];
        let number = |name: &str| limiter[name].as_u64().unwrap_or_else(|| panic!("no {name} in {status:#}"));
        (number("in_flight"), number("queued"))
    }
}

/// Clients that send reads until they are told to stop, each the next one after the response to the one before.
pub struct Load {
    answered: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    clients: Vec<JoinHandle<BTreeMap<String, usize>>>,
}

impl Load {
    /// Clients on connections of their own to this address. They differ in their `User-Agent`.
    pub fn start(address: SocketAddr, clients: usize, path: &'static str) -> Self {
        let (answered, is_over) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let client = |number: usize| {
            let (answered, is_over) = (answered.clone(), is_over.clone());
            tokio::spawn(async move {
                let (mut outcomes, mut connection) = (BTreeMap::new(), None);
                while !is_over.load(Ordering::Relaxed) {
                    let outcome = match get(&mut connection, address, path, number).await {
                        Ok(status) => status,
                        Err(error) => {
                            connection = None;
                            error
                        }
                    };
                    *outcomes.entry(outcome).or_insert(0) += 1;
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                outcomes
            })
        };
        let clients = (0..clients).map(client).collect();
        Self { answered, is_over, clients }
    }

    /// Waits until so many more requests have been answered.
    pub async fn proceed(&self, requests: u64) {
        let goal = self.answered.load(Ordering::Relaxed) + requests;
        until(|| self.answered.load(Ordering::Relaxed) >= goal).await;
    }

    /// Ends it, and returns how often each status or error came.
    pub async fn end(self) -> BTreeMap<String, usize> {
        self.is_over.store(true, Ordering::Relaxed);
        let mut all = BTreeMap::new();
        for client in self.clients {
            for (outcome, count) in within(client).await.unwrap() {
                *all.entry(outcome).or_insert(0) += count;
            }
        }
        all
    }
}

/// The status of the response to one read.
pub async fn get(
    connection: &mut Option<SendRequest<Full<Bytes>>>,
    address: SocketAddr,
    path: &str,
    number: usize,
) -> Result<String, String> {
    let described = |error: &dyn std::error::Error| match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    let is_open = match connection {
        Some(connection) => connection.ready().await.is_ok(),
        None => false,
    };
    if !is_open {
        let stream = TcpStream::connect(address).await.map_err(|error| described(&error))?;
        let (sender, driver) = handshake(TokioIo::new(stream)).await.map_err(|error| described(&error))?;
        tokio::spawn(driver);
        *connection = Some(sender);
    }
    let Some(connection) = connection else { return Err("no connection".to_owned()) };
    let request = Request::get(path)
        .header("host", "erp")
        .header("user-agent", format!("client {number}"))
        .header("x-forwarded-for", format!("10.0.0.{}", 1 + number % 250))
        .body(Full::default())
        .unwrap();
    let response = connection.send_request(request).await.map_err(|error| described(&error))?;
    let status = response.status().as_u16().to_string();
    response.into_body().collect().await.map_err(|error| described(&error))?;
    Ok(status)
}
