//! A simulator, a proxy in front of it, and clients that show every byte.
#![allow(dead_code, reason = "no test program uses all of it")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bcproxy::config::Config;
use bcproxy::proxy::Proxy;
use bcproxy::simulator::{Matcher, Received, Script, Settings, Simulator, Times};
use bcproxy::tls::CertificateAuthority;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{self, Runtime};
use tokio_util::task::AbortOnDropHandle;

/// What a rig is built from; the default is one connector with a company, the default routes, and `erp`, `erp-gw` and `oldserver` as names.
#[derive(Default)]
pub struct Plan {
    pub settings: Settings,
    /// More lines of the connector, without indentation. A key here replaces the default one.
    pub connector: Vec<String>,
    /// More connectors to the same simulator: name and lines.
    pub more_connectors: Vec<(String, Vec<String>)>,
    /// More top-level lines, such as `routes:`.
    pub top: String,
    is_secured: bool,
    is_far: bool,
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

/// What an answer of the proxy's own says.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status meant; a SOAP fault is sent with 500.
    pub status: u16,
    pub code: String,
    pub message: String,
}

/// Holds the runtime's clock for as long as it lives: only [`advance`](Self::advance) moves it, while the network goes on as ever.
pub struct HeldClock {
    _held: std::sync::mpsc::Sender<()>,
}

impl Plan {
    pub fn connector(mut self, line: &str) -> Self {
        self.connector.push(line.to_owned());
        self
    }

    /// One more connector to the same simulator, made like the first.
    pub fn another_connector(mut self, name: &str, lines: &[&str]) -> Self {
        self.more_connectors.push((name.to_owned(), lines.iter().map(ToString::to_string).collect()));
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

    /// The simulator is known by names that only an [outbound proxy](crate::connect_proxy::ConnectProxy) can look up.
    pub fn far(mut self) -> Self {
        self.is_far = true;
        self
    }

    /// The proxy speaks HTTPS, with a certificate for `localhost` of the authority in `local-ca.pem`.
    pub fn secured(mut self) -> Self {
        self.is_secured = true;
        self.top(&format!("listen: {SECURED}"))
    }

    pub async fn start(self) -> Rig {
        self.start_after(|_| {}).await
    }

    /// Starts the simulator, lets `change` change it, and only then starts the proxy, which asks for its first token at once.
    pub async fn start_after(self, change: impl FnOnce(&Simulator)) -> Rig {
        let prepared = self.prepare().await;
        change(&prepared.simulator);
        prepared.start().await
    }

    /// The simulator and the files of a proxy that does not run yet.
    pub async fn prepare(mut self) -> Prepared {
        let simulator = Simulator::start(self.settings).await.unwrap();
        let folder = TempDir::new().unwrap();
        self.more_connectors.insert(0, ("cronus".to_owned(), self.connector));
        if self.is_secured {
            certify(folder.path());
        }
        let file = write(&simulator, folder.path(), &self.more_connectors, &self.top, self.is_far);
        Prepared { simulator, folder, file }
    }
}

impl Prepared {
    pub async fn start(self) -> Rig {
        let config = Config::load(&self.file).unwrap_or_else(|mistakes| panic!("{mistakes}")).config;
        let proxy = Proxy::start(&config).await.unwrap();
        Rig { simulator: self.simulator, proxy, folder: self.folder }
    }

    /// What reached Business Central, but for the proxy's own look-up of the companies.
    pub fn received(&self) -> Vec<Received> {
        received(&self.simulator)
    }
}

/// Puts into a folder what [`SECURED`] names, and the authority that vouches for it.
pub fn certify(folder: &Path) {
    let lifetime = time::Duration::days(30);
    let authority = CertificateAuthority::new("test CA", lifetime).unwrap();
    let certified = authority.issue(vec!["localhost".to_owned()], lifetime).unwrap();
    std::fs::write(folder.join("local-ca.pem"), authority.certificate()).unwrap();
    std::fs::write(folder.join("server.pem"), &certified.certificate).unwrap();
    std::fs::write(folder.join("server-key.pem"), certified.private_key.as_bytes()).unwrap();
}

/// An item of `listen` that speaks HTTPS.
pub const SECURED: &str = "{ address: 127.0.0.1:0, tls: { certificate: server.pem, private_key: server-key.pem } }";

fn write(
    simulator: &Simulator,
    folder: &Path,
    connectors: &[(String, Vec<String>)],
    top: &str,
    is_far: bool,
) -> PathBuf {
    let settings = simulator.settings();
    std::fs::write(folder.join("ca.pem"), simulator.ca_pem()).unwrap();
    std::fs::write(folder.join("secret.txt"), &settings.client_secret).unwrap();
    let place = |name: &str, address: &str| match is_far {
        true => address.replace("localhost", &format!("{name}.simulator.test")),
        false => address.to_owned(),
    };
    let defaults = [
        format!("tenant_id: {}", settings.tenant_id),
        format!("client_id: {}", settings.client_id),
        "client_secret: { file: secret.txt }".to_owned(),
        format!("environment: {}", settings.environment),
        format!("company: {}", settings.companies[0].name),
        format!("authority: {}", place("login", simulator.authority())),
        format!("base_url: {}", place("api", simulator.base_url())),
        "ca_file: ca.pem".to_owned(),
    ];
    let key = |line: &str| line.split(':').next().unwrap().to_owned();
    let connector = |(name, own): &(String, Vec<String>)| {
        let replaced: Vec<String> = own.iter().map(|line| key(line)).collect();
        let lines = defaults.iter().filter(|line| !replaced.contains(&key(line))).chain(own);
        // `company: -` is how a plan asks for none.
        let lines: String = lines.filter(|line| !line.ends_with(": -")).map(|line| format!("    {line}\n")).collect();
        format!("  {name}:\n{lines}")
    };
    let connectors: String = connectors.iter().map(connector).collect();
    let hosts = "access: { hosts: [ erp, erp-gw, oldserver ] }\n";
    let defaults = [("listen:", "listen: 127.0.0.1:0\n"), ("admin:", "admin: off\n"), ("access:", hosts)];
    let named = |key: &str| top.lines().any(|line| line.starts_with(key));
    let head: String = defaults.iter().filter(|(key, _)| !named(key)).map(|(_, line)| *line).collect();
    let text = format!("{head}connectors:\n{connectors}{top}\n");
    let file = folder.join("proxy.yaml");
    std::fs::write(&file, text).unwrap();
    file
}

impl Rig {
    pub async fn new() -> Self {
        Plan::default().start().await
    }

    pub fn address(&self) -> SocketAddr {
        self.proxy.addresses()[0].socket
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

    /// The SOAP call [`SOAP_ECHO`] to this path.
    pub async fn call_soap(&self, path: &str) -> Answer {
        let headers = [
            ("content-type", "text/xml; charset=utf-8"),
            ("soapaction", "\"urn:microsoft-dynamics-schemas/codeunit/Tools:Echo\""),
        ];
        self.send(Method::POST, path, &headers, SOAP_ECHO).await
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
        received(&self.simulator)
    }

    /// What Business Central answers when the last request that reached it comes again, past the proxy and without compression.
    pub async fn past_the_proxy(&self) -> Bytes {
        let Received { method, target, mut headers, body, .. } = self.received().pop().unwrap();
        headers.remove("accept-encoding");
        let tls = bcproxy::tls::client_config(Some(&self.folder.path().join("ca.pem"))).unwrap();
        let client = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap();
        let address = format!("{}{target}", self.simulator.base_url());
        let answer = within(client.request(method, address).headers(headers).body(body).send()).await.unwrap();
        within(answer.bytes()).await.unwrap()
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

impl HeldClock {
    /// In a test on one thread only.
    pub fn new() -> Self {
        tokio::time::pause();
        let (held, until_dropped) = std::sync::mpsc::channel();
        // A paused clock leaps to the next timer when everything waits, unless blocking work is under way.
        tokio::task::spawn_blocking(move || until_dropped.recv());
        Self { _held: held }
    }

    /// Timers go off at whole milliseconds, rounded up: the clock is turned by one more.
    pub async fn advance(&self, by: Duration) {
        tokio::time::advance(by + Duration::from_millis(1)).await;
    }
}

fn received(simulator: &Simulator) -> Vec<Received> {
    simulator.received().into_iter().filter(|received| !is_look_up(received)).collect()
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

    /// What an answer of the proxy's own says, in whichever dialect; what all of them have in common is checked here.
    pub fn refusal(&self) -> Refusal {
        assert!(!self.headers.contains_key("www-authenticate"), "{self:?}");
        assert_eq!(self.headers["x-request-id"].len(), 36, "{self:?}");
        assert!(self.headers["proxy-status"].to_str().unwrap().starts_with("bcproxy; error="), "{self:?}");
        if self.headers["content-type"] == "text/xml; charset=utf-8" {
            assert_eq!(self.status, 500, "old clients read a fault nowhere else");
            let text = self.text();
            let fault = roxmltree::Document::parse(&text).unwrap();
            let part = |name: &str| {
                let element = fault.descendants().find(|element| element.tag_name().name() == name);
                element.and_then(|element| element.text()).unwrap_or_else(|| panic!("{text}")).to_owned()
            };
            let status = part("status").parse().unwrap();
            return Refusal { status, code: part("code"), message: part("faultstring") };
        }
        assert_eq!(self.headers["content-type"], "application/json; charset=utf-8");
        let (code, message) = self.error();
        Refusal { status: self.status.as_u16(), code, message }
    }

    /// Seconds of `Retry-After`.
    pub fn retry_after(&self) -> u64 {
        self.headers["retry-after"].to_str().unwrap().parse().unwrap()
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
    let mut request = Request::builder().method(method).uri(path);
    if headers.iter().all(|(name, _)| *name != "host") {
        request = request.header("host", address.to_string());
    }
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

/// Calls a codeunit the way .NET Framework does: the body is sent when the proxy has asked for it with `100 Continue`.
///
/// The request has passed the guard and found its route when this ends; [`read_to_end`] gets the answer.
pub async fn begin_soap_call(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /soap/Codeunit/Tools HTTP/1.1\r\nHost: {address}\r\nContent-Type: text/xml; charset=utf-8\r\n\
         SOAPAction: \"urn:microsoft-dynamics-schemas/codeunit/Tools:Echo\"\r\nContent-Length: {}\r\n\
         Expect: 100-continue\r\nConnection: close\r\n\r\n",
        SOAP_ECHO.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut asked = [0; 25];
    within(stream.read_exact(&mut asked)).await.unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(SOAP_ECHO.as_bytes()).await.unwrap();
    stream
}

/// A harmless call of a codeunit.
pub const SOAP_ECHO: &str = r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><Echo xmlns="urn:microsoft-dynamics-schemas/codeunit/Tools"><text>hello</text></Echo></s:Body></s:Envelope>"#;

/// Reads until the other side closes or breaks off.
pub async fn read_to_end(stream: &mut TcpStream) -> (String, std::io::Result<()>) {
    let mut read = Vec::new();
    let result = within(stream.read_to_end(&mut read)).await;
    (String::from_utf8_lossy(&read).into_owned(), result.map(|_| ()))
}

/// Waits for something that must happen; that it does not is a failure, how long it takes is not.
///
/// By the clock on the wall: one that a test holds would let it wait for ever.
pub async fn within<T>(event: impl Future<Output = T>) -> T {
    static WALL: LazyLock<Runtime> = LazyLock::new(|| {
        runtime::Builder::new_multi_thread().worker_threads(1).thread_name("wall").enable_time().build().unwrap()
    });
    let patience = AbortOnDropHandle::new(WALL.spawn(async { tokio::time::sleep(PATIENCE).await }));
    tokio::select! {
        outcome = event => outcome,
        _ = patience => panic!("it did not happen within {PATIENCE:?}"),
    }
}

const PATIENCE: Duration = Duration::from_secs(120);

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
