//! The floor: what a proxy like bcproxy costs if it consists of hyper, rustls and nothing else.
//!
//! Plain HTTP in; TLS connections of its own to the upstream, reused; the prefix of the path replaced; a static
//! `Authorization`. In JSON, links to the upstream become links to here, by a plain search.
//!
//! `benches/load` starts its own executable again to run this. So one cargo command builds both with one profile, and
//! nothing has to be found. The runtime has no timers: those of a test build are slower than those of a release.

mod replacing;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::{Either, Empty};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderValue};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use memchr::memmem::Finder;
use replacing::Replacing;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The settings, and the connections that no request uses.
struct Floor {
    upstream: SocketAddr,
    tls: TlsConnector,
    host: HeaderValue,
    authorization: HeaderValue,
    /// What the path begins with here and there.
    prefixes: [(&'static str, String); 2],
    links: Finder<'static>,
    local_links: String,
    idle: Mutex<Vec<SendRequest<Incoming>>>,
}

/// Serves until the process ends. The arguments are those that `benches/load/peers/floor.rs` gives.
pub fn run(arguments: impl Iterator<Item = String>) -> Result<()> {
    let arguments: Vec<String> = arguments.collect();
    let [address, upstream, ca_file, authorization, links, api, soap] = arguments.as_slice() else {
        return Err("the floor needs seven arguments".into());
    };
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca_file)?)?;
    let config = rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let upstream: SocketAddr = upstream.parse()?;
    let floor = Floor {
        upstream,
        tls: TlsConnector::from(Arc::new(config)),
        host: HeaderValue::try_from(format!("localhost:{}", upstream.port()))?,
        authorization: HeaderValue::try_from(authorization)?,
        prefixes: [("/api/", api.clone()), ("/soap/", soap.clone())],
        links: Finder::new(links).into_owned(),
        local_links: format!("http://{address}/api"),
        idle: Mutex::default(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(accept(address.parse()?, Arc::new(floor)))
}

async fn accept(address: SocketAddr, floor: Arc<Floor>) -> Result<()> {
    let listener = TcpListener::bind(address).await?;
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let floor = floor.clone();
        let service = service_fn(move |request| {
            let floor = floor.clone();
            async move {
                // What fails here shows as a failed request.
                let failed = |_| status(StatusCode::BAD_GATEWAY);
                Ok::<_, Infallible>(floor.forward(request).await.unwrap_or_else(failed))
            }
        });
        let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service);
        tokio::spawn(async move { drop(connection.await) });
    }
}

impl Floor {
    async fn forward(self: Arc<Self>, mut request: Request<Incoming>) -> Result<Response<ResponseBody>> {
        let Some(uri) = self.upstream_uri(request.uri())? else { return Ok(status(StatusCode::NOT_FOUND)) };
        *request.uri_mut() = uri;
        request.headers_mut().remove(CONNECTION);
        request.headers_mut().insert(HOST, self.host.clone());
        request.headers_mut().insert(AUTHORIZATION, self.authorization.clone());
        let mut sender = self.connection().await?;
        let (mut head, body) = sender.send_request(request).await?.into_parts();
        head.headers.remove(CONNECTION);
        let replacing = is_plain_json(&head.headers).then(|| {
            head.headers.remove(CONTENT_LENGTH);
            Replacing::default()
        });
        let body = Forwarded { body, replacing, sender: Some(sender), floor: self };
        Ok(Response::from_parts(head, Either::Left(body)))
    }

    fn upstream_uri(&self, uri: &Uri) -> Result<Option<Uri>> {
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        let replaced = self.prefixes.iter().find_map(|(local, upstream)| {
            let rest = target.strip_prefix(local)?;
            Some([upstream, rest].concat())
        });
        Ok(replaced.map(|target| Uri::from_maybe_shared(Bytes::from(target))).transpose()?)
    }

    /// The connection that was used last, or a new one.
    async fn connection(&self) -> Result<SendRequest<Incoming>> {
        while let Some(mut sender) = self.pop() {
            // Fails if the upstream has closed it.
            if sender.ready().await.is_ok() {
                return Ok(sender);
            }
        }
        let socket = TcpStream::connect(self.upstream).await?;
        socket.set_nodelay(true)?;
        let stream = self.tls.connect("localhost".try_into()?, socket).await?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }

    fn pop(&self) -> Option<SendRequest<Incoming>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

type ResponseBody = Either<Forwarded, Empty<Bytes>>;

/// A response on its way. Dropping it releases the connection.
struct Forwarded {
    body: Incoming,
    /// `None` if it passes unchanged, or has passed.
    replacing: Option<Replacing>,
    sender: Option<SendRequest<Incoming>>,
    floor: Arc<Floor>,
}

impl Body for Forwarded {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, hyper::Error>>> {
        let Self { body, replacing, floor, .. } = self.get_mut();
        loop {
            let frame = ready!(Pin::new(&mut *body).poll_frame(cx));
            let Some(replacer) = replacing else { return Poll::Ready(frame) };
            let replaced = match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(piece) => replacer.replace(piece, &floor.links, &floor.local_links),
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => replacing.take().map(Replacing::rest).unwrap_or_default(),
            };
            // An empty piece is none.
            if !replaced.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(replaced))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.replacing.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.replacing.is_some() { SizeHint::new() } else { self.body.size_hint() }
    }
}

impl Drop for Forwarded {
    fn drop(&mut self) {
        self.floor.idle.lock().unwrap_or_else(PoisonError::into_inner).extend(self.sender.take());
    }
}

fn is_plain_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    kind.starts_with(b"application/json") && !headers.contains_key(CONTENT_ENCODING)
}

fn status(status: StatusCode) -> Response<ResponseBody> {
    let mut response = Response::new(Either::Right(Empty::new()));
    *response.status_mut() = status;
    response
}
