//! A simulator, a proxy in front of it, and HTTP clients.
#![allow(dead_code, reason = "no test program uses all of it")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bcproxy::config::Config;
use bcproxy::proxy::{Limiter, Proxy};
use bcproxy::simulator::{Matcher, Received, Script, Settings, Simulator, Times};
use bcproxy::tls::CertificateAuthority;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::{self, Runtime};
use tokio_util::task::AbortOnDropHandle;

/// The settings of a rig. By default: one connector with a company, the default routes, the hosts `erp`, `erp-gw` and
/// `oldserver`.
#[derive(Default)]
pub struct Plan {
    pub settings: Settings,
    /// Lines of the connector, without indentation. A key here replaces the default one.
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

/// A response, read to its end.
#[derive(Debug)]
pub struct ClientResponse {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// The content of an error response of the proxy itself.
#[derive(Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The intended status; a SOAP fault is sent with 500.
    pub status: u16,
    pub code: String,
    pub message: String,
}

/// Stops the runtime's clock while it lives: only [`advance`](Self::advance) moves it. The network is not affected.
pub struct HeldClock {
    _held: std::sync::mpsc::Sender<()>,
}

impl Plan {
    pub fn connector(mut self, line: &str) -> Self {
        self.connector.push(line.to_owned());
        self
    }

    /// Its requests wait for no retry of a token request: the first one begins later than this.
    pub fn impatient(self) -> Self {
        self.connector("timeouts: { token: 100ms }")
    }

    /// Adds a connector to the same simulator, with the same defaults.
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

    /// Gives the simulator host names that only an [outbound proxy](crate::connect_proxy::ConnectProxy) can resolve.
    pub fn far(mut self) -> Self {
        self.is_far = true;
        self
    }

    /// Makes the proxy serve HTTPS, with a certificate for `localhost` from the authority in `local-ca.pem`.
    pub fn secured(mut self) -> Self {
        self.is_secured = true;
        self.top(&format!("listen: {SECURED}"))
    }

    pub async fn start(self) -> Rig {
        self.start_after(|_| {}).await
    }

    /// Starts the simulator, applies `change` to it, then starts the proxy, which fetches its first token immediately.
    pub async fn start_after(self, change: impl FnOnce(&Simulator)) -> Rig {
        let prepared = self.prepare().await;
        change(&prepared.simulator);
        prepared.start().await
    }

    /// The simulator and the files of a proxy that isn't running yet.
    pub async fn prepare(mut self) -> Prepared {
        let simulator = Simulator::start(self.settings).await.unwrap();
        let folder = private_folder();
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

    /// The requests that reached Business Central, except the proxy's own look-up of the companies.
    pub fn received(&self) -> Vec<Received> {
        received(&self.simulator)
    }
}

/// A folder that only its owner reaches, since the files of tests are readable by all.
fn private_folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    folder
}

/// Writes the files that [`SECURED`] names into a folder, and the certificate of their authority.
pub fn certify(folder: &Path) {
    let lifetime = time::Duration::days(30);
    let names = vec!["localhost".to_owned()];
    let authority = CertificateAuthority::new("test CA", &names, lifetime).unwrap();
    let certified = authority.issue(names, lifetime).unwrap();
    std::fs::write(folder.join("local-ca.pem"), authority.certificate()).unwrap();
    std::fs::write(folder.join("server.pem"), &certified.certificate).unwrap();
    std::fs::write(folder.join("server-key.pem"), certified.private_key.as_bytes()).unwrap();
}

/// An item of `listen` for HTTPS.
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
    let location = |name: &str, address: &str| match is_far {
        true => address.replace("localhost", &format!("{name}.simulator.test")),
        false => address.to_owned(),
    };
    let defaults = [
        format!("tenant_id: {}", settings.tenant_id),
        format!("client_id: {}", settings.client_id),
        "client_secret: { file: secret.txt }".to_owned(),
        format!("environment: {}", settings.environment),
        format!("company: {}", settings.companies[0].name),
        format!("authority: {}", location("login", simulator.authority())),
        format!("base_url: {}", location("api", simulator.base_url())),
        "ca_file: ca.pem".to_owned(),
    ];
    let key = |line: &str| line.split(':').next().unwrap().to_owned();
    let connector = |(name, own): &(String, Vec<String>)| {
        let replaced: Vec<String> = own.iter().map(|line| key(line)).collect();
        let lines = defaults.iter().filter(|line| !replaced.contains(&key(line))).chain(own);
        // `company: -` leaves the key out.
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
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> ClientResponse {
        send(self.address(), method, path, headers, body).await
    }

    pub async fn get(&self, path: &str) -> ClientResponse {
        self.send(Method::GET, path, &[], "").await
    }

    pub async fn post_json(&self, path: &str, body: &str) -> ClientResponse {
        self.send(Method::POST, path, &[("content-type", "application/json")], body.to_owned()).await
    }

    /// The SOAP call [`SOAP_ECHO`] to this path.
    pub async fn call_soap(&self, path: &str) -> ClientResponse {
        let headers = [
            ("content-type", "text/xml; charset=utf-8"),
            ("soapaction", "\"urn:microsoft-dynamics-schemas/codeunit/Tools:Echo\""),
        ];
        self.send(Method::POST, path, &headers, SOAP_ECHO).await
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address()).await.unwrap()
    }

    /// A connection to 127.0.0.1 from the address 127.0.0.`last`.
    pub async fn connect_from(&self, last: u8) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, last], 0))).unwrap();
        socket.connect(SocketAddr::from(([127, 0, 0, 1], self.address().port()))).await.unwrap()
    }

    /// Sends these bytes on a new connection and reads until the proxy closes it.
    ///
    /// Returns what was read, and the error that ended it, if any.
    pub async fn raw(&self, bytes: impl AsRef<[u8]>) -> (String, std::io::Result<()>) {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_ref()).await.unwrap();
        read_to_end(&mut stream).await
    }

    /// Scripts the responses to `/api/items`, which no connector requests by itself.
    pub fn script(&self, times: Times, script: Script) {
        self.simulator.business_central().script(Matcher::any().path_ending("/items"), times, script);
    }

    /// The requests that reached Business Central, except the proxy's own look-up of the companies.
    pub fn received(&self) -> Vec<Received> {
        received(&self.simulator)
    }

    /// Business Central's response when the last request is repeated without the proxy and without compression.
    pub async fn past_the_proxy(&self) -> Bytes {
        let Received { method, target, mut headers, body, .. } = self.received().pop().unwrap();
        headers.remove("accept-encoding");
        let tls = bcproxy::tls::client_config(Some(&self.folder.path().join("ca.pem"))).unwrap();
        let client = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().gzip(false).build().unwrap();
        let address = format!("{}{target}", self.simulator.base_url());
        let response = within(client.request(method, address).headers(headers).body(body).send()).await.unwrap();
        within(response.bytes()).await.unwrap()
    }

    /// Waits until the first application's limiter has this many requests; how many are in flight and queued then.
    pub async fn limiter_at(&self, load: usize) -> (usize, usize) {
        let connector = &self.proxy.connectors()[0];
        let limiter = connector.pool.members().next().unwrap().limiter.clone().unwrap();
        until(|| limiter.load() == load).await;
        let state = limiter.state();
        (state.in_flight, state.waiting)
    }

    /// The same for SOAP calls, of all applications.
    pub async fn soap_limiter_at(&self, load: usize) -> (usize, usize) {
        let members = self.proxy.connectors()[0].pool.members();
        let limiters: Vec<_> = members.map(|member| member.soap_limiter.clone().unwrap()).collect();
        until(|| limiters.iter().map(Limiter::load).sum::<usize>() == load).await;
        let states = limiters.iter().map(Limiter::state);
        states.fold((0, 0), |(in_flight, waiting), state| (in_flight + state.in_flight, waiting + state.waiting))
    }

    /// Waits until the requests that reached Business Central, except the look-up, meet a condition.
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
        // A paused clock jumps to the next timer when all tasks are idle, unless a blocking task is running.
        tokio::task::spawn_blocking(move || until_dropped.recv());
        Self { _held: held }
    }

    /// Timers fire at whole milliseconds, rounded up, so the clock moves by one more.
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

impl ClientResponse {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The content of an error response of the proxy itself, in any dialect; checks what all of them have in common.
    pub fn rejection(&self) -> Rejection {
        assert!(!self.headers.contains_key("www-authenticate"), "{self:?}");
        assert_eq!(self.headers["x-request-id"].len(), 36, "{self:?}");
        assert!(self.headers["proxy-status"].to_str().unwrap().starts_with("bcproxy; error="), "{self:?}");
        if self.headers["content-type"] == "text/xml; charset=utf-8" {
            assert_eq!(self.status, 500, "old clients parse a fault only in a 500");
            let text = self.text();
            let fault = roxmltree::Document::parse(&text).unwrap();
            let part = |name: &str| {
                let element = fault.descendants().find(|element| element.tag_name().name() == name);
                element.and_then(|element| element.text()).unwrap_or_else(|| panic!("{text}")).to_owned()
            };
            let status = part("status").parse().unwrap();
            return Rejection { status, code: part("code"), message: part("faultstring") };
        }
        assert_eq!(self.headers["content-type"], "application/json; charset=utf-8");
        let (code, message) = self.error();
        Rejection { status: self.status.as_u16(), code, message }
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

/// Sends one request on a new connection and reads the whole response.
pub async fn send(
    address: SocketAddr,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> ClientResponse {
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
    let response = within(sender.send_request(request)).await.unwrap();
    let (head, body) = response.into_parts();
    let body = within(body.collect()).await.unwrap().to_bytes();
    connection.abort();
    ClientResponse { status: head.status, headers: head.headers, body }
}

/// Calls a codeunit as .NET Framework does: the body follows the proxy's `100 Continue`.
///
/// On return, the request has passed the guard and has its route; [`read_to_end`] reads the response.
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

/// Reads until the other side closes or resets the connection.
pub async fn read_to_end(stream: &mut TcpStream) -> (String, std::io::Result<()>) {
    let mut read = Vec::new();
    let result = within(stream.read_to_end(&mut read)).await;
    (String::from_utf8_lossy(&read).into_owned(), result.map(|_| ()))
}

/// Waits for an event that must happen, with a generous deadline.
///
/// The deadline uses the wall clock: with a stopped clock, it would never expire.
pub async fn within<T>(event: impl Future<Output = T>) -> T {
    static WALL: LazyLock<Runtime> = LazyLock::new(|| {
        runtime::Builder::new_multi_thread().worker_threads(1).thread_name("wall").enable_time().build().unwrap()
    });
    let patience = AbortOnDropHandle::new(WALL.spawn(async { tokio::time::sleep(PATIENCE).await }));
    tokio::select! {
        outcome = event => outcome,
        _ = patience => panic!("the event did not happen within {PATIENCE:?}"),
    }
}

const PATIENCE: Duration = Duration::from_secs(120);

/// Polls a condition that must come true, with the same deadline.
pub async fn until(mut condition: impl FnMut() -> bool) {
    within(async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Runs that many tasks concurrently and collects their results.
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
