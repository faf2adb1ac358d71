//! A stand-in for Entra and Business Central that costs next to nothing: canned answers over TLS, the same for every
//! proxy.

use std::convert::Infallible;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::Result;
use crate::canned_body::CannedBody;
use crate::pages::page;

pub const TENANT: &str = "5d2c1f6e-0b7a-4c39-9e84-71a3c0de0001";
pub const ENVIRONMENT: &str = "Production";
pub const COMPANY: &str = "CRONUS International Ltd.";
pub const COMPANY_ID: &str = "824820a2-508c-ed11-aada-0000000000a1";

/// What the addresses in answers begin with.
pub const LINKS: &str = "https://api.businesscentral.dynamics.com/v2.0/Production/api/v2.0";

/// A running upstream.
pub struct Upstream {
    pub address: SocketAddr,
    /// What vouches for it, as PEM, and its key.
    pub ca_pem: String,
    pub key_pem: String,
    /// For clients that believe whoever has that certificate.
    pub client_tls: Arc<rustls::ClientConfig>,
    canned: Arc<Canned>,
}

/// The answers, made once.
struct Canned {
    token: Bytes,
    /// `Bearer …`, as long as a real one.
    authorization: String,
    companies: Bytes,
    small: Bytes,
    soap: Bytes,
    page: Bytes,
    gzip_page: Bytes,
    plain: Bytes,
    gzip_plain: Bytes,
    /// For series, whose responses differ.
    prepared: ArcSwap<Bytes>,
    /// How long Entra takes.
    token_delay_ms: AtomicU64,
    token_requests: AtomicU64,
}

/// What a proxy is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ResponseKind {
    Small,
    Soap,
    Page,
    ChunkedPage,
    GzipPage,
    /// A page like the others, without addresses.
    Plain,
    /// The same bytes as a file, in which nobody looks for addresses.
    File,
    GzipFile,
    /// The page many times over, as a file.
    Large,
    /// The same, as JSON.
    LargePage,
    /// A small response to a large body with many members.
    Post,
    /// The same to one with a long text.
    PostText,
    /// What [`Upstream::prepare`] was given.
    Prepared,
    /// The same, as the response to a batch.
    Batch,
}

impl ResponseKind {
    /// The last segment of its address.
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "customers",
            Self::Soap => "Customer",
            Self::Page => "items",
            Self::ChunkedPage => "generalLedgerEntries",
            Self::GzipPage => "salesInvoices",
            Self::Plain => "currencies",
            Self::File => "documents",
            Self::GzipFile => "pictures",
            Self::Large => "attachments",
            Self::LargePage => "journalLines",
            Self::Post | Self::PostText => "vendors",
            Self::Prepared => "dimensions",
            Self::Batch => "$batch",
        }
    }

    /// Whether the upstream compresses it.
    pub fn is_compressed(self) -> bool {
        matches!(self, Self::GzipPage | Self::GzipFile)
    }

    /// `None` where it depends on whether a proxy rewrites links.
    pub fn length(self, upstream: &Upstream) -> Option<u64> {
        match self {
            Self::Small | Self::Page | Self::ChunkedPage | Self::GzipPage | Self::LargePage => None,
            Self::Post | Self::PostText | Self::Prepared | Self::Batch => None,
            Self::Soap => Some(upstream.canned.soap.len() as u64),
            Self::Plain | Self::File | Self::GzipFile => Some(upstream.canned.plain.len() as u64),
            Self::Large => Some(LARGE_BYTES),
        }
    }
}

impl Upstream {
    pub async fn start() -> Result<Self> {
        let identity = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        let key = PrivatePkcs8KeyDer::from(identity.signing_key.serialize_der());
        let mut config = rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![identity.cert.der().clone()], key.into())?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let socket = TcpSocket::new_v4()?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        // Room for whoever comes: one for whom there is none loses a second, which is none of the proxy's.
        let listener = socket.listen(4096)?;
        let mut roots = rustls::RootCertStore::empty();
        roots.add(identity.cert.der().clone())?;
        let provider = rustls::crypto::ring::default_provider();
        let client_tls = rustls::ClientConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let upstream = Self {
            address: listener.local_addr()?,
            ca_pem: identity.cert.pem(),
            key_pem: identity.signing_key.serialize_pem(),
            client_tls: Arc::new(client_tls),
            canned: Arc::new(Canned::new()),
        };
        tokio::spawn(accept(listener, TlsAcceptor::from(Arc::new(config)), upstream.canned.clone()));
        Ok(upstream)
    }

    /// The token's header value: what a proxy that can't fetch one is given.
    pub fn authorization(&self) -> &str {
        &self.canned.authorization
    }

    /// A small response, whose links it rewrites.
    pub fn small(&self) -> &Bytes {
        &self.canned.small
    }

    /// What it responds with to [`ResponseKind::Prepared`] and [`ResponseKind::Batch`] from now on.
    pub fn prepare(&self, response: Bytes) {
        self.canned.prepared.store(Arc::new(response));
    }

    pub fn token_requests(&self) -> u64 {
        self.canned.token_requests.load(Ordering::Relaxed)
    }

    pub fn delay_tokens(&self, delay: Duration) {
        let milliseconds = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.canned.token_delay_ms.store(milliseconds, Ordering::Relaxed);
    }
}

impl Canned {
    fn new() -> Self {
        // As long as Entra's.
        let token = "t".repeat(1_400);
        let customer = r#"{"@odata.context":"https://api.businesscentral.dynamics.com/v2.0/Production/api/v2.0/$metadata#companies(824820a2-508c-ed11-aada-0000000000a1)/customers/$entity","@odata.etag":"W/\"JzIwOzEyMzQ1Njc4OTAxMjM0NTY3ODkwMTswMDsn\"","id":"0d6b6c5e-2f5d-ee11-8df1-000d3a2a1c33","number":"10000","displayName":"Adatum Corporation","type":"Company","balanceDue":0,"currencyCode":"EUR"}"#;
        let soap = r#"<Soap:Envelope xmlns:Soap="http://schemas.xmlsoap.org/soap/envelope/"><Soap:Body><Read_Result xmlns="urn:microsoft-dynamics-schemas/page/customer"><Customer><Key>24;EgAAAAJ7CDEAMAAwADAAMA==6;12345678;</Key><No>10000</No><Name>Adatum Corporation</Name></Customer></Read_Result></Soap:Body></Soap:Envelope>"#;
        let (page, plain) = (page(true), page(false));
        Self {
            token: format!(r#"{{"token_type":"Bearer","expires_in":3599,"access_token":"{token}"}}"#).into(),
            authorization: format!("Bearer {token}"),
            companies: format!(r#"{{"value":[{{"id":"{COMPANY_ID}","name":"{COMPANY}","displayName":"{COMPANY}"}}]}}"#)
                .into(),
            small: customer.into(),
            soap: soap.into(),
            gzip_page: gzip(&page),
            gzip_plain: gzip(&plain),
            page: page.into(),
            plain: plain.into(),
            prepared: ArcSwap::default(),
            token_delay_ms: AtomicU64::new(0),
            token_requests: AtomicU64::new(0),
        }
    }

    async fn response(&self, request: Request<Incoming>) -> Response<CannedBody> {
        let (head, body) = request.into_parts();
        // A body that breaks off ends its connection; that is the answer then.
        let _ = body.collect().await;
        let path = head.uri.path();
        if path.ends_with("/token") {
            self.token_requests.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(self.token_delay_ms.load(Ordering::Relaxed))).await;
            return json(CannedBody::whole(&self.token));
        }
        if head.headers.get(AUTHORIZATION).is_none_or(|value| value.as_bytes() != self.authorization.as_bytes()) {
            return status(StatusCode::UNAUTHORIZED);
        }
        match path.rsplit('/').next().unwrap_or_default() {
            "companies" => json(CannedBody::whole(&self.companies)),
            "Customer" => with_type(CannedBody::whole(&self.soap), "text/xml; charset=utf-8"),
            "customers" | "vendors" => json(CannedBody::whole(&self.small)),
            "dimensions" | "$batch" => json(CannedBody::whole(&self.prepared.load())),
            "items" => json(CannedBody::whole(&self.page)),
            "generalLedgerEntries" => json(CannedBody::whole(&self.page).chunked()),
            "salesInvoices" => coded(json(CannedBody::whole(&self.gzip_page))),
            "currencies" => json(CannedBody::whole(&self.plain)),
            "documents" => with_type(CannedBody::whole(&self.plain), FILE),
            "pictures" => coded(with_type(CannedBody::whole(&self.gzip_plain), FILE)),
            "attachments" => with_type(CannedBody::repeated(&self.page, LARGE_BYTES), FILE),
            "journalLines" => json(CannedBody::repeated(&self.page, LARGE_BYTES)),
            _ => status(StatusCode::NOT_FOUND),
        }
    }
}

fn json(body: CannedBody) -> Response<CannedBody> {
    with_type(body, "application/json; odata.metadata=minimal; odata.streaming=true")
}

fn with_type(body: CannedBody, kind: &'static str) -> Response<CannedBody> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    response
}

fn coded(mut response: Response<CannedBody>) -> Response<CannedBody> {
    response.headers_mut().insert(CONTENT_ENCODING, hyper::header::HeaderValue::from_static("gzip"));
    response
}

fn gzip(text: &str) -> Bytes {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    // Writing to memory does not fail.
    let _ = encoder.write_all(text.as_bytes());
    encoder.finish().unwrap_or_default().into()
}

fn status(status: StatusCode) -> Response<CannedBody> {
    let mut response = Response::new(CannedBody::whole(&Bytes::new()));
    *response.status_mut() = status;
    response
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, canned: Arc<Canned>) {
    while let Ok((socket, _)) = listener.accept().await {
        let (acceptor, canned) = (acceptor.clone(), canned.clone());
        tokio::spawn(async move {
            // What breaks here shows as a failed request at the other end of the proxy.
            let _ = serve(socket, acceptor, canned).await;
        });
    }
}

async fn serve(socket: TcpStream, acceptor: TlsAcceptor, canned: Arc<Canned>) -> Result<()> {
    socket.set_nodelay(true)?;
    let stream = acceptor.accept(socket).await?;
    let service = service_fn(move |request| {
        let canned = canned.clone();
        async move { Ok::<_, Infallible>(canned.response(request).await) }
    });
    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await?;
    Ok(())
}

const FILE: &str = "application/octet-stream";

pub const LARGE_BYTES: u64 = 1024 * 1024 * 1024;
