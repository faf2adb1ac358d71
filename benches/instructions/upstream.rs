//! Entra, Business Central and a collector: prepared responses over TLS.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::Result;
use crate::idle::Idle;
use crate::pieces::Pieces;
use crate::responses::{self, Responses};

/// A running upstream.
pub struct Upstream {
    pub port: u16,
    /// The certificate of `localhost` and its key, as PEM. The proxies use it, too.
    pub certificate: String,
    pub private_key: String,
    /// For clients that trust the certificate.
    pub client_tls: TlsConnector,
    /// What the upstream waits for before each response.
    pub idle: Idle,
}

impl Upstream {
    pub async fn start() -> Result<Self> {
        let identity = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        let key = PrivatePkcs8KeyDer::from(identity.signing_key.serialize_der());
        let server = ServerConfig::builder_with_provider(bcproxy::tls::provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![identity.cert.der().clone()], key.into())?;
        let mut roots = RootCertStore::empty();
        roots.add(identity.cert.der().clone())?;
        let client = ClientConfig::builder_with_provider(bcproxy::tls::provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let upstream = Self {
            port: listener.local_addr()?.port(),
            certificate: identity.cert.pem(),
            private_key: identity.signing_key.serialize_pem(),
            client_tls: TlsConnector::from(Arc::new(client)),
            idle: Idle::default(),
        };
        let service = Arc::new(Service { responses: Responses::new(), idle: upstream.idle.clone() });
        tokio::spawn(accept(listener, TlsAcceptor::from(Arc::new(server)), service));
        Ok(upstream)
    }
}

struct Service {
    responses: Responses,
    idle: Idle,
}

impl Service {
    async fn response(&self, request: Request<Incoming>) -> Response<Pieces> {
        let (head, body) = request.into_parts();
        match (body.collect().await, self.idle.wait().await) {
            (Ok(_), Ok(_)) => self.responses.of(head.uri.path(), self.idle.clone()),
            // The row fails then: it expects another status.
            _ => responses::empty(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, service: Arc<Service>) {
    while let Ok((socket, _)) = listener.accept().await {
        let (acceptor, service) = (acceptor.clone(), service.clone());
        tokio::spawn(async move {
            // What breaks here shows as a failed request at the other end of the proxy.
            let _ = serve(socket, acceptor, service).await;
        });
    }
}

async fn serve(socket: TcpStream, acceptor: TlsAcceptor, service: Arc<Service>) -> Result<()> {
    socket.set_nodelay(true)?;
    let stream = acceptor.accept(socket).await?;
    let respond = service_fn(move |request| {
        let service = service.clone();
        async move { Ok::<_, Infallible>(service.response(request).await) }
    });
    http1::Builder::new().serve_connection(TokioIo::new(stream), respond).await?;
    Ok(())
}
