//! Every method by which a web page can have Chromium send a request, from pages on several origins.
//!
//! What counts is Business Central's record: nothing arrived. A relay in front of bcproxy sees what Chromium sends.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bcproxy::tls::ServerCertificate;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio_rustls::TlsAcceptor;

use crate::rig::{Rig, certify, within};

/// What came of a method.
#[derive(Clone, Copy)]
enum Fate {
    /// Chromium sent no request.
    NotSent,
    Rejected,
    /// The request reached Business Central.
    Forwarded,
}

/// Where a page is, and by which address it calls bcproxy. `P`, `S` and `B` stand for the ports of pages over HTTP and
/// HTTPS, and of bcproxy. With a query, the page has no `Referer` sent. The number is how many requests must reach
/// bcproxy, so that the table says something. Chromium itself lets an HTTPS page only navigate to a plain name.
const PAGES: [(&str, &str, usize); 5] = [
    ("http://127.0.0.1:P/", "http://127.0.0.1:B", 45),
    ("http://evil.example:P/", "http://erp-gw:B", 45),
    ("http://evil.example:P/?no-referrer", "http://erp-gw:B", 45),
    ("https://evil.example:S/", "http://127.0.0.1:B", 45),
    ("https://evil.example:S/", "http://erp-gw:B", 4),
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium"]
async fn no_way_of_a_web_page_reaches_business_central() {
    let rig = Rig::new().await;
    certify(rig.folder.path());
    let (page, secured) = serve_pages(&rig).await;
    let sent = Sent::default();
    let relay = serve_relay(rig.address(), sent.clone()).await;
    let address = |pattern: &str| {
        let ports = [(":P", page), (":S", secured), (":B", relay)];
        ports.iter().fold(pattern.to_owned(), |url, (sign, at)| url.replace(sign, &format!(":{}", at.port())))
    };

    let mut fates: BTreeMap<String, Vec<Fate>> = BTreeMap::new();
    for (page, target, least) in PAGES {
        let before = rig.received().len();
        let dom = browse(&format!("{}#{}", address(page), address(target))).await;
        let sent = std::mem::take(&mut *sent.lock().unwrap());
        let forwarded: BTreeSet<String> =
            rig.received()[before..].iter().filter_map(|received| method_of(&received.target)).collect();
        let (_, methods) = dom.split_once("data-methods=\"").unwrap_or_else(|| panic!("{dom}"));
        for method in methods.split('"').next().unwrap().split(' ') {
            let fate = match (sent.contains(method), forwarded.contains(method)) {
                (_, true) => Fate::Forwarded,
                (true, false) => Fate::Rejected,
                (false, false) => Fate::NotSent,
            };
            fates.entry(method.to_owned()).or_default().push(fate);
        }
        assert!(sent.len() >= least, "only these requests from {page} to {target} reached bcproxy: {sent:?}");
    }
    println!("{}", table(&fates));
    let received: Vec<String> =
        rig.received().iter().map(|received| format!("{} {}", received.method, received.target)).collect();
    assert!(received.is_empty(), "these reached Business Central: {received:#?}");
}

/// The methods that Chromium has used since it was last asked.
type Sent = Arc<Mutex<BTreeSet<String>>>;

/// The method that an address names: what follows the last `/`.
fn method_of(target: &str) -> Option<String> {
    let path = target.split('?').next()?;
    path.rsplit('/').next().map(str::to_owned)
}

/// Serves the page over HTTP and HTTPS: the addresses of both.
async fn serve_pages(rig: &Rig) -> (SocketAddr, SocketAddr) {
    let file = |name: &str| rig.folder.path().join(name);
    let certificate = ServerCertificate::read(&file("server.pem"), &file("server-key.pem")).unwrap();
    let tls = TlsAcceptor::from(Arc::new(certificate.server_config(None).unwrap()));
    let listeners = [TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap()];
    let addresses = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
    let [plain, secured] = listeners;
    tokio::spawn(accept(plain, |socket| async move { Some(socket) }));
    tokio::spawn(accept(secured, move |socket| {
        let tls = tls.clone();
        async move { tls.accept(socket).await.ok() }
    }));
    (addresses[0], addresses[1])
}

async fn accept<F, S>(listener: TcpListener, secure: impl Fn(TcpStream) -> F)
where
    F: Future<Output = Option<S>> + Send + 'static,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        let secured = secure(socket);
        tokio::spawn(async move {
            if let Some(stream) = secured.await {
                respond(stream).await;
            }
        });
    }
}

/// The page, or the redirect to what follows the `?`.
async fn respond(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8_lossy(&head);
    let target = head.split(' ').nth(1).unwrap_or_default();
    let page = include_str!("page.html");
    let (line, body) = match target.strip_prefix("/redirect?") {
        Some(elsewhere) => (format!("302 Found\r\nLocation: {elsewhere}"), ""),
        None => ("200 OK\r\nContent-Type: text/html".to_owned(), page),
    };
    let response = format!("HTTP/1.1 {line}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    // A browser that leaves early is none of the page's business.
    let _ = stream.write_all(response.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// Opens an address in Chromium until everything that the page began has ended; the page then.
async fn browse(url: &str) -> String {
    let profile = TempDir::new().unwrap();
    let mut chromium = Command::new("chromium");
    chromium.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-popup-blocking"]);
    chromium.args(["--ignore-certificate-errors", "--no-proxy-server"]);
    chromium.arg(
        "--host-resolver-rules=MAP evil.example 127.0.0.1, MAP erp-gw 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    );
    // Time that stands still while a request is on its way.
    chromium.args(["--virtual-time-budget=8000", "--dump-dom", url]);
    chromium.arg(format!("--user-data-dir={}", profile.path().display())).kill_on_drop(true);
    let output = within(chromium.output()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Relays connections to bcproxy, and records the methods that their request lines name.
async fn serve_relay(bcproxy: SocketAddr, sent: Sent) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            tokio::spawn(relay(client, bcproxy, sent.clone()));
        }
    });
    address
}

async fn relay(client: TcpStream, bcproxy: SocketAddr, sent: Sent) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_bcproxy, mut to_bcproxy) = TcpStream::connect(bcproxy).await.unwrap().into_split();
    // Either side may leave at any time.
    tokio::spawn(async move { tokio::io::copy(&mut from_bcproxy, &mut to_client).await.ok() });
    let (mut all, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
    while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
        all.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&all);
        let targets = text.lines().filter_map(|line| line.strip_suffix(" HTTP/1.1")?.split_once(" /api/"));
        sent.lock().unwrap().extend(targets.filter_map(|(_, target)| method_of(target)));
        if to_bcproxy.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

/// In Markdown: what came of each method, from each page; and how many requests were sent and reached Business Central.
fn table(fates: &BTreeMap<String, Vec<Fate>>) -> String {
    let heads = PAGES.iter().map(|(page, target, _)| format!(" {page} → {target} |"));
    let mut table = format!("| method |{}\n|---|{}\n", heads.collect::<String>(), "---|".repeat(PAGES.len()));
    let mut counts = [(0, 0); PAGES.len()];
    for (method, fates) in fates {
        write!(table, "| {method} |").unwrap();
        for ((sent, reached), fate) in counts.iter_mut().zip(fates) {
            let (is_sent, has_reached, word) = match fate {
                Fate::NotSent => (0, 0, "not sent"),
                Fate::Rejected => (1, 0, "rejected"),
                Fate::Forwarded => (1, 1, "FORWARDED"),
            };
            (*sent, *reached) = (*sent + is_sent, *reached + has_reached);
            write!(table, " {word} |").unwrap();
        }
        table.push('\n');
    }
    let totals = counts.iter().map(|(sent, reached)| format!(" {sent} sent, {reached} reached |"));
    table + &format!("| {} methods |{}\n", fates.len(), totals.collect::<String>())
}
