//! A simulator, a proxy in front of it, and clients that show every byte.
#![allow(dead_code, reason = "no test program uses all of it")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bcproxy::config::Config;
use bcproxy::proxy::Proxy;
use bcproxy::simulator::{Matcher, Received, Script, Settings, Simulator, Times};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What a rig is built from; the default is one connector with a company and the default routes.
#[derive(Default)]
pub struct Plan {
    pub settings: Settings,
    /// More lines of the connector, without indentation. A key here replaces the default one.
    pub connector: Vec<String>,
    /// More top-level lines, such as `routes:`.
    pub top: String,
}

/// A simulator, and the files of a proxy in front of it.
pub struct Prepared {
    pub simulator: Simulator,
    pub folder: TempDir,
    /// The proxy.yaml in it.
    pub file: PathBuf,
}

/// A proxy in front of a simulator. Dropping it ends both.
pub struct Rig {
    pub simulator: Simulator,
    pub proxy: Proxy,
    pub folder: TempDir,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Plan {
    pub fn connector(mut self, line: &str) -> Self {
        self.connector.push(line.to_owned());
        self
    }

    pub fn top(mut self, lines: &str) -> Self {
        self.top.push_str(lines);
        self.top.push('\n');
        self
    }

    pub fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    pub async fn start(self) -> Rig {
        self.prepare().await.start().await
    }

    /// The simulator and the files of a proxy that does not run yet.
    pub async fn prepare(self) -> Prepared {
        let simulator = Simulator::start(self.settings).await.unwrap();
        let folder = TempDir::new().unwrap();
        let file = write(&simulator, folder.path(), &self.connector, &self.top);
        Prepared { simulator, folder, file }
    }
}

impl Prepared {
    pub async fn start(self) -> Rig {
        let config = Config::load(&self.file).unwrap_or_else(|mistakes| panic!("{mistakes}")).config;
        let proxy = Proxy::start(&config).await.unwrap();
        Rig { simulator: self.simulator, proxy, folder: self.folder }
    }
}

fn write(simulator: &Simulator, folder: &Path, connector: &[String], top: &str) -> PathBuf {
    let settings = simulator.settings();
    std::fs::write(folder.join("ca.pem"), simulator.ca_pem()).unwrap();
    std::fs::write(folder.join("secret.txt"), &settings.client_secret).unwrap();
    let defaults = [
        format!("tenant_id: {}", settings.tenant_id),
        format!("client_id: {}", settings.client_id),
        "client_secret: { file: secret.txt }".to_owned(),
        format!("environment: {}", settings.environment),
        format!("company: {}", settings.companies[0].name),
        format!("authority: {}", simulator.authority()),
        format!("base_url: {}", simulator.base_url()),
        "ca_file: ca.pem".to_owned(),
    ];
    let key = |line: &str| line.split(':').next().unwrap().to_owned();
    let replaced: Vec<String> = connector.iter().map(|line| key(line)).collect();
    let lines = defaults.iter().filter(|line| !replaced.contains(&key(line))).chain(connector);
    // `company: -` is how a plan asks for none.
    let lines: String = lines.filter(|line| *line != "company: -").map(|line| format!("    {line}\n")).collect();
    let defaults = [("listen:", "listen: 127.0.0.1:0\n"), ("admin:", "admin: off\n")];
    let named = |key: &str| top.lines().any(|line| line.starts_with(key));
    let head: String = defaults.iter().filter(|(key, _)| !named(key)).map(|(_, line)| *line).collect();
    let text = format!("{head}connectors:\n  cronus:\n{lines}{top}\n");
    let file = folder.join("proxy.yaml");
    std::fs::write(&file, text).unwrap();
    file
}

impl Rig {
    pub async fn new() -> Self {
        Plan::default().start().await
    }

    pub fn address(&self) -> SocketAddr {
        self.proxy.addresses()[0]
    }

    /// One request on a connection of its own.
    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
        send(self.address(), method, path, headers, body).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    pub async fn post_json(&self, path: &str, body: &str) -> Answer {
        self.send(Method::POST, path, &[("content-type", "application/json")], body.to_owned()).await
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address()).await.unwrap()
    }

    /// Sends these bytes on a connection of their own and reads until the proxy closes it.
    ///
    /// The error is that of the reading, together with what was read before it.
    pub async fn raw(&self, bytes: impl AsRef<[u8]>) -> (String, std::io::Result<()>) {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_ref()).await.unwrap();
        read_to_end(&mut stream).await
    }

    /// Has `/api/items` answered like this: something no connector looks up on its own.
    pub fn script(&self, times: Times, script: Script) {
        self.simulator.business_central().script(Matcher::any().path_ending("/items"), times, script);
    }

    /// What reached Business Central, but for the proxy's own look-up of the companies.
    pub fn received(&self) -> Vec<Received> {
        self.simulator.received().into_iter().filter(|received| !is_look_up(received)).collect()
    }

    /// Waits until the requests that reached Business Central, but for the look-up, fulfil a condition.
    pub async fn wait_for(&self, mut condition: impl FnMut(&[&Received]) -> bool) {
        let condition = |received: &[Received]| {
            let received: Vec<&Received> = received.iter().filter(|received| !is_look_up(received)).collect();
            condition(&received)
        };
        within(self.simulator.wait_for(condition)).await
    }
}

fn is_look_up(received: &Received) -> bool {
    received.target.ends_with("/api/v2.0/companies") && !received.headers.contains_key("via")
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The code and message of an OData error.
    pub fn error(&self) -> (String, String) {
        let json = self.json();
        let part = |name: &str| json["error"][name].as_str().unwrap_or_else(|| panic!("{json}")).to_owned();
        (part("code"), part("message"))
    }
}

/// One request on a connection of its own, answered to the end.
pub async fn send(
    address: SocketAddr,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Answer {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path).header("host", address.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body.into())).unwrap();
    let answer = within(sender.send_request(request)).await.unwrap();
    let (head, body) = answer.into_parts();
    let body = within(body.collect()).await.unwrap().to_bytes();
    connection.abort();
    Answer { status: head.status, headers: head.headers, body }
}

/// Reads until the other side closes or breaks off.
pub async fn read_to_end(stream: &mut TcpStream) -> (String, std::io::Result<()>) {
    let mut read = Vec::new();
    let result = within(stream.read_to_end(&mut read)).await;
    (String::from_utf8_lossy(&read).into_owned(), result.map(|_| ()))
}

/// Waits for something that must happen; that it does not is a failure, how long it takes is not.
pub async fn within<T>(event: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), event).await.expect("it did not happen within a minute")
}

/// Starts that many at once and collects their results.
pub async fn at_once<T: Send + 'static, F>(count: usize, start: impl Fn(usize) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
{
    let tasks: Vec<_> = (0..count).map(|number| tokio::spawn(start(number))).collect();
    let mut results = Vec::with_capacity(count);
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

/// A rig that tasks can share.
pub async fn shared(plan: Plan) -> Arc<Rig> {
    Arc::new(plan.start().await)
}
