//! Who may use the admin listener where other computers can reach it, and for what.
//!
//! Everything here is on loopback. What counts is the address that the listener uses: `0.0.0.0` is off loopback.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bcproxy::admin::{Admin, Command, Control, Status};
use bcproxy::config::Config;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::mpsc::Receiver;
use tokio_rustls::TlsConnector;

use crate::rig::{ClientResponse, HeldClock, Plan, Rig, certify, read_to_end, within};
use crate::status::history;

pub const TOKEN: &str = "the-token-of-the-tests";

/// The admin listener at three kinds of addresses, in front of a rig.
struct Scene {
    rig: Rig,
    admin: Admin,
    commands: Receiver<Command>,
    /// Over HTTPS, off loopback.
    secured: Site,
    /// Over plain HTTP, off loopback.
    monitored: Site,
    /// Over plain HTTP on loopback.
    local: Site,
}

/// An address, and how it is asked.
#[derive(Clone)]
struct Site {
    address: SocketAddr,
    tls: Option<TlsConnector>,
    /// The last byte of the client's address 127.0.0.*.
    from: u8,
}

const ADMIN: &str = "\
admin:
  listen:
    - { address: 0.0.0.0:0, tls: { certificate: server.pem, private_key: server-key.pem } }
    - 0.0.0.0:0
    - 127.0.0.1:0
  token: { file: token.txt }
  allow_from: [127.0.0.1, 127.0.0.2]
  hosts: [status.contoso.local]
";

impl Scene {
    async fn new() -> Self {
        let prepared = Plan::default().top(ADMIN).prepare().await;
        certify(prepared.folder.path());
        std::fs::write(prepared.folder.path().join("token.txt"), TOKEN).unwrap();
        let rig = prepared.start().await;
        let (admin, commands) = start(&rig).await;
        let sockets: Vec<SocketAddr> = admin.addresses().iter().map(|address| address.socket).collect();
        let site = |at: usize, tls| Site { address: ([127, 0, 0, 1], sockets[at].port()).into(), tls, from: 1 };
        let tls = Some(connector(&rig));
        Self { secured: site(0, tls), monitored: site(1, None), local: site(2, None), rig, admin, commands }
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.rig.folder.path().join(name)
    }

    /// Puts what the file says now into service.
    async fn reload(&mut self) {
        let prepared = self.admin.prepare(&settings(&self.rig)).await.unwrap();
        self.admin.take_effect(prepared);
    }

    /// Answers the next command, in the background.
    fn respond_to_reload(&mut self) -> tokio::task::JoinHandle<()> {
        let (_, none) = tokio::sync::mpsc::channel(1);
        let mut commands = std::mem::replace(&mut self.commands, none);
        tokio::spawn(async move {
            let Some(Command::Reload(reply)) = within(commands.recv()).await else { panic!("no reload") };
            reply.send(Ok("reloaded".to_owned())).unwrap();
        })
    }
}

fn settings(rig: &Rig) -> bcproxy::config::Admin {
    let loaded = Config::load(&rig.folder.path().join("proxy.yaml"));
    loaded.unwrap_or_else(|mistakes| panic!("{mistakes}")).config.admin.unwrap()
}

async fn start(rig: &Rig) -> (Admin, Receiver<Command>) {
    let status = Status { view: rig.proxy.view(), history: history(rig), is_stopping: false };
    let (control, commands) = Control::new(status, Handle::current());
    (Admin::start(&settings(rig), control).await.unwrap(), commands)
}

fn connector(rig: &Rig) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(rig.folder.path().join("local-ca.pem")).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(bcproxy::tls::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

impl Site {
    fn from(&self, last: u8) -> Self {
        Self { from: last, ..self.clone() }
    }

    async fn connect(&self) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, self.from], 0))).unwrap();
        within(socket.connect(self.address)).await.unwrap()
    }

    async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> ClientResponse {
        let stream = self.connect().await;
        match &self.tls {
            None => exchange(stream, self.request(method, path, headers, body)).await,
            Some(tls) => {
                let name = ServerName::try_from("localhost").unwrap();
                let stream = within(tls.connect(name, stream)).await.unwrap();
                exchange(stream, self.request(method, path, headers, body)).await
            }
        }
    }

    fn request(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Request<Full<Bytes>> {
        let mut request = Request::builder().method(method).uri(path);
        if headers.iter().all(|(name, _)| *name != "host") {
            request = request.header("host", self.address.to_string());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Full::new(Bytes::from(body.to_owned()))).unwrap()
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> ClientResponse {
        self.send(Method::GET, path, headers, "").await
    }

    async fn post(&self, path: &str, headers: &[(&str, &str)]) -> ClientResponse {
        self.send(Method::POST, path, headers, "").await
    }

    async fn sign_in(&self, token: &str) -> ClientResponse {
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("origin", &*self.origin())];
        self.send(Method::POST, "/sign-in", &headers, &format!("token={token}")).await
    }

    fn origin(&self) -> String {
        format!("{}://{}", if self.tls.is_some() { "https" } else { "http" }, self.address)
    }

    /// The cookie of a new session.
    async fn session(&self) -> String {
        let response = self.sign_in(TOKEN).await;
        assert_eq!(response.status, 303, "{}", response.text());
        let cookie = response.headers["set-cookie"].to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> ClientResponse {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let response = within(sender.send_request(request)).await.unwrap();
    let (head, body) = response.into_parts();
    let body = within(body.collect()).await.unwrap().to_bytes();
    connection.abort();
    ClientResponse { status: head.status, headers: head.headers, body }
}

/// What nobody gets without the token.
const CONFIDENTIAL: [&str; 6] = ["/", "/status.json", "/metrics", "/readyz", "/readyz/cronus", "/unknown"];

#[tokio::test]
async fn without_the_token_nothing_is_read_over_https_and_no_order_is_carried_out() {
    let mut scene = Scene::new().await;
    let site = &scene.secured;
    for headers in [&[][..], &[("authorization", "Basic eDp5")], &[("cookie", "__Host-bcproxy-1=x")]] {
        for path in CONFIDENTIAL {
            let response = site.get(path, headers).await;
            assert_eq!(
                (response.status.as_u16(), &response.headers["www-authenticate"]),
                (401, &"Bearer realm=\"bcproxy\"".parse().unwrap()),
                "{path}"
            );
            assert!(response.text().contains("/sign-in") && !response.text().contains("cronus"), "{}", response.text());
        }
        for path in ["/reload", "/stop"] {
            assert_eq!(site.post(path, headers).await.status, 401, "{path}");
        }
    }
    for token in ["Bearer", "Bearer ", "Bearer the-token-of-the-test", "Bearer the-token-of-the-tests2"] {
        let response = site.from(2).post("/stop", &[("authorization", token)]).await;
        assert_eq!(response.status, 401, "{token}");
    }
    assert!(scene.commands.try_recv().is_err());
    // A browser is led to the page where its user can sign in.
    let html = [("accept", "text/html,application/xhtml+xml,*/*;q=0.8")];
    let led = site.get("/", &html).await;
    assert_eq!((led.status, &led.headers["location"]), (StatusCode::SEE_OTHER, &"/sign-in".parse().unwrap()));
    assert!(!led.text().contains("cronus"));
    assert_eq!(site.get("/livez", &[]).await.text(), "live\n");
    assert_eq!(site.get("/style.css", &[]).await.status, 200);

    let bearer = format!("Bearer {TOKEN}");
    let headers = [("authorization", bearer.as_str())];
    for path in CONFIDENTIAL.iter().filter(|path| **path != "/unknown") {
        assert_eq!(site.get(path, &headers).await.status, 200, "{path}");
    }
    assert!(site.get("/status.json", &headers).await.json()["client_auth_failures"]["admin_token"] == 2);
    let site = site.clone();
    let answered = scene.respond_to_reload();
    assert_eq!(site.post("/reload", &headers).await.text(), "reloaded\n");
    answered.await.unwrap();
}

#[tokio::test]
async fn a_person_signs_in_once_gives_orders_from_the_page_and_signs_out() {
    let mut scene = Scene::new().await;
    for site in [scene.secured.clone(), scene.local.clone()] {
        let page = site.get("/sign-in", &[]).await;
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("form-action 'self'") && policy.starts_with("default-src 'none'"), "{policy}");
        assert!(page.text().contains("<form method=\"post\" action=\"/sign-in\">") && !page.text().contains("<script"));
        let wrong = site.sign_in("the-token-of-the-test").await;
        assert_eq!((wrong.status.as_u16(), wrong.headers.get("set-cookie")), (401, None));
        assert!(
            wrong.text().contains("The token is wrong.") && !wrong.text().contains("the-token"),
            "{}",
            wrong.text()
        );

        let signed_in = site.sign_in(&format!(" {TOKEN} ")).await;
        assert_eq!((signed_in.status.as_u16(), &signed_in.headers["location"]), (303, &"/".parse().unwrap()));
        let cookie = signed_in.headers["set-cookie"].to_str().unwrap();
        let (session, attributes) = cookie.split_once("; ").unwrap();
        assert_eq!(attributes, "Path=/; HttpOnly; Secure; SameSite=Strict; Max-Age=43200");
        assert_eq!(session.starts_with("__Host-"), site.tls.is_some(), "{session}");
        assert!(session.len() > 43 && !cookie.contains(TOKEN));
        let page = site.get("/", &[("cookie", session)]).await;
        assert!(page.status == 200 && page.text().contains("Sign out"), "{}", page.text());

        let (origin, other) = (site.origin(), site.origin().replace("127.0.0.1", "127.0.0.2"));
        let downgraded =
            if site.tls.is_some() { origin.replace("https", "http") } else { origin.replace("http", "https") };
        for (more, status) in [
            (("x", "no origin"), 403),
            (("origin", "null"), 403),
            (("origin", "https://evil.example"), 403),
            (("origin", other.as_str()), 403),
            (("origin", downgraded.as_str()), 403),
            (("sec-fetch-site", "cross-site"), 403),
            (("sec-fetch-site", "same-site"), 403),
        ] {
            assert_eq!(site.post("/reload", &[("cookie", session), more]).await.status, status, "{more:?}");
            assert_eq!(site.post("/stop", &[("cookie", session), more]).await.status, status, "{more:?}");
        }
        assert!(scene.commands.try_recv().is_err());

        let own = [("cookie", session), ("origin", &*origin), ("sec-fetch-site", "same-origin")];
        assert_eq!(site.post("/stop", &own).await.status, 202);
        assert!(matches!(scene.commands.try_recv(), Ok(Command::Stop)));

        let out = site.post("/sign-out", &own).await;
        assert_eq!((out.status.as_u16(), &out.headers["location"]), (303, &"/sign-in".parse().unwrap()));
        assert!(out.headers["set-cookie"].to_str().unwrap().ends_with("; Max-Age=0"));
        assert_eq!(site.post("/stop", &own).await.status, 401);
        assert!(scene.commands.try_recv().is_err());
    }
}

#[tokio::test]
async fn a_name_that_a_web_page_points_here_reads_nothing_even_with_a_session() {
    let mut scene = Scene::new().await;
    for site in [&scene.secured, &scene.monitored, &scene.local] {
        let session = if site.address == scene.monitored.address { String::new() } else { site.session().await };
        let host = format!("evil.example:{}", site.address.port());
        let origin = format!("{}://{host}", if site.tls.is_some() { "https" } else { "http" });
        let headers = [("host", host.as_str()), ("origin", &*origin), ("cookie", &*session)];
        for path in CONFIDENTIAL.iter().chain(&["/livez", "/sign-in"]) {
            let response = site.get(path, &headers).await;
            assert_eq!(response.status, 421, "{path}");
            assert!(!response.text().contains("cronus") && response.text().contains("hosts: [evil.example]"));
        }
        assert_eq!(site.post("/stop", &headers).await.status, 421);
        let named = [("host", "status.contoso.local"), ("cookie", &*session)];
        assert_eq!(site.get("/metrics", &named).await.status, 200);
    }
    assert!(scene.commands.try_recv().is_err());
}

#[tokio::test]
async fn sessions_end_with_another_token_and_with_a_restart_but_not_with_a_reload() {
    let mut scene = Scene::new().await;
    let site = scene.secured.clone();
    let session = site.session().await;
    let status = async |session: &str| site.get("/status.json", &[("cookie", session)]).await.status.as_u16();
    scene.reload().await;
    assert_eq!(status(&session).await, 200);
    std::fs::write(scene.file("token.txt"), "another-token-of-the-tests").unwrap();
    scene.reload().await;
    assert_eq!(status(&session).await, 401);
    assert_eq!(site.sign_in(TOKEN).await.status, 401);
    std::fs::write(scene.file("token.txt"), TOKEN).unwrap();
    scene.reload().await;
    assert_eq!(status(&session).await, 401, "the token of the session, but the session has ended");

    let session = site.session().await;
    assert_eq!(status(&session).await, 200);
    let restarted = start(&scene.rig).await.0;
    let site = Site { address: ([127, 0, 0, 1], restarted.addresses()[0].socket.port()).into(), ..site };
    let moved = session.replace(&scene.secured.address.port().to_string(), &site.address.port().to_string());
    assert_eq!(site.get("/status.json", &[("cookie", &moved)]).await.status, 401);
}

#[tokio::test]
async fn whoever_guesses_gets_slower_responses_and_only_so_many_at_the_same_time() {
    let clock = HeldClock::new();
    let scene = Scene::new().await;
    let site = &scene.secured;
    for _ in 0..3 {
        assert_eq!(site.sign_in("wrong-but-long-enough").await.status, 401);
    }
    let guesses: Vec<_> = (0..16)
        .map(|number| {
            let site = site.clone();
            tokio::spawn(async move {
                match number % 2 {
                    0 => site.sign_in("wrong-but-long-enough").await.status,
                    _ => site.get("/", &[("authorization", "Bearer wrong-but-long-enough")]).await.status,
                }
            })
        })
        .collect();
    let failures = || scene.rig.proxy.view().failures.counts().map(|(_, count)| count).sum::<u64>();
    crate::rig::until(|| failures() == 19).await;
    assert!(guesses.iter().all(|guess| !guess.is_finished()));
    // Even the right one: its response would tell.
    for response in [site.sign_in(TOKEN).await, site.get("/", &[("authorization", &format!("Bearer {TOKEN}"))]).await] {
        assert_eq!((response.status.as_u16(), &response.headers["retry-after"]), (429, &"1".parse().unwrap()));
    }
    assert_eq!(site.from(2).sign_in(TOKEN).await.status, 303, "others are not delayed");
    clock.advance(Duration::from_secs(9)).await;
    for guess in guesses {
        assert_eq!(within(guess).await.unwrap(), 401);
    }
    assert_eq!(site.sign_in(TOKEN).await.status, 303);
}

#[tokio::test]
async fn plain_http_off_loopback_serves_monitors_of_the_allowed_networks_and_takes_no_token() {
    let mut scene = Scene::new().await;
    let site = &scene.monitored;
    for path in ["/metrics", "/livez", "/readyz", "/readyz?all", "/readyz/cronus"] {
        assert_eq!(site.get(path, &[]).await.status, 200, "{path}");
        let elsewhere = site.from(3).get(path, &[]).await;
        assert_eq!(elsewhere.status, 403, "{path}");
        assert!(elsewhere.text().contains("allow_from: [127.0.0.3]") && !elsewhere.text().contains("cronus"));
    }
    let bearer = format!("Bearer {TOKEN}");
    let session = scene.local.session().await;
    for headers in [[("authorization", bearer.as_str())], [("cookie", session.as_str())]] {
        for path in ["/", "/status.json", "/style.css", "/sign-in", "/sign-out", "/readyzz", "/configuration"] {
            let response = site.get(path, &headers).await;
            assert_eq!(response.status, 403, "{path}");
            assert!(response.text().contains("`tls`") && !response.text().contains("cronus"), "{}", response.text());
        }
        for path in ["/reload", "/stop", "/metrics", "/sign-in", "/doctor"] {
            assert_eq!(site.post(path, &headers).await.status, 403, "{path}");
        }
    }
    assert_eq!(site.sign_in(TOKEN).await.headers.get("set-cookie"), None);
    assert!(scene.commands.try_recv().is_err());
    // Over HTTPS, others get no handshake.
    let tls = scene.secured.tls.clone().unwrap();
    let stream = scene.secured.from(3).connect().await;
    assert!(within(tls.connect(ServerName::try_from("localhost").unwrap(), stream)).await.is_err());
}

#[tokio::test]
async fn on_loopback_everybody_reads_and_orders_need_the_token_if_there_is_one() {
    let mut scene = Scene::new().await;
    let site = scene.local.clone();
    for path in ["/", "/status.json", "/metrics", "/readyz"] {
        assert_eq!(site.get(path, &[]).await.status, 200, "{path}");
        assert_eq!(site.get(path, &[("authorization", "Bearer wrong")]).await.status, 200, "{path}");
    }
    for headers in [&[][..], &[("authorization", "Bearer wrong")]] {
        for path in ["/reload", "/stop"] {
            assert_eq!(site.post(path, headers).await.status, 401, "{path}");
        }
    }
    assert!(scene.commands.try_recv().is_err());
    assert_eq!(site.post("/stop", &[("authorization", &format!("bearer {TOKEN}"))]).await.status, 202);
    assert!(matches!(scene.commands.try_recv(), Ok(Command::Stop)));

    let file = scene.file("proxy.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace(ADMIN, "admin: { listen: 127.0.0.1:0 }\n")).unwrap();
    scene.reload().await;
    assert_eq!(scene.admin.addresses().len(), 1);
    assert_eq!(site.post("/stop", &[]).await.status, 202);
    assert!(matches!(scene.commands.try_recv(), Ok(Command::Stop)));
    assert_eq!(site.get("/sign-in", &[]).await.status, 404, "there is nothing to sign in with");
    let cross = site.post("/stop", &[("origin", "https://evil.example")]).await;
    assert_eq!(cross.status, 403);
    assert!(scene.commands.try_recv().is_err());
}

#[tokio::test]
async fn a_sign_in_is_a_small_form() {
    let scene = Scene::new().await;
    let form = ("content-type", "application/x-www-form-urlencoded");
    for (headers, body, status) in [
        (&[form][..], format!("token={}", "x".repeat(17 * 1024)), 413),
        (&[("content-type", "application/json")], format!("{{\"token\": \"{TOKEN}\"}}"), 415),
        (&[form], "tokens=x".to_owned(), 400),
        (&[form], String::new(), 400),
    ] {
        let response = scene.secured.send(Method::POST, "/sign-in", headers, &body).await;
        assert_eq!((response.status.as_u16(), response.headers.get("set-cookie")), (status, None), "{body:.20}");
    }
    assert_eq!(scene.secured.send(Method::PUT, "/sign-in", &[], "").await.headers["allow"], "GET, HEAD, POST");
}

#[tokio::test]
async fn a_client_that_does_not_speak_tls_is_told_and_one_that_says_nothing_is_cut_after_10_s() {
    let clock = HeldClock::new();
    let scene = Scene::new().await;
    let mut plain = scene.secured.connect().await;
    let request = format!(
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n"
    );
    plain.write_all(request.as_bytes()).await.unwrap();
    let (response, _) = read_to_end(&mut plain).await;
    assert!(response.starts_with("HTTP/1.1 400 ") && response.contains("Use https://"), "{response}");

    let mut silent = scene.secured.connect().await;
    silent.write_all(&[0x16, 3, 1]).await.unwrap();
    let reading = tokio::spawn(async move { read_to_end(&mut silent).await });
    assert_eq!(scene.secured.get("/livez", &[]).await.status, 200);
    clock.advance(Duration::from_secs(9)).await;
    assert!(!reading.is_finished());
    clock.advance(Duration::from_secs(1)).await;
    assert_eq!(within(reading).await.unwrap().0, "");
}

#[tokio::test]
async fn a_renewed_certificate_is_presented_after_a_reload_and_its_end_is_known() {
    let mut scene = Scene::new().await;
    let before = scene.admin.certificates()[0].expires;
    certify(scene.rig.folder.path());
    let text = std::fs::read(scene.file("server.pem")).unwrap();
    scene.reload().await;
    assert_eq!(scene.admin.certificates().len(), 1);
    assert!(scene.admin.certificates()[0].expires >= before);
    scene.secured.tls = Some(connector(&scene.rig));
    assert_eq!(scene.secured.get("/livez", &[]).await.status, 200, "by the new authority");
    std::fs::write(scene.file("server.pem"), "no certificate").unwrap();
    let config = {
        std::fs::write(scene.file("server.pem"), text).unwrap();
        let config = settings(&scene.rig);
        std::fs::write(scene.file("server.pem"), "no certificate").unwrap();
        config
    };
    let error = scene.admin.prepare(&config).await.err().unwrap().to_string();
    assert!(error.starts_with("admin: the certificate of 0.0.0.0:0"), "{error}");
    assert_eq!(scene.secured.get("/livez", &[]).await.status, 200);
}
