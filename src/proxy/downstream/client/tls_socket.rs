//! TLS, between the socket and the request stream.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::StatusCode;
use hyper::http::uri::Scheme;
use rustls::{AlertDescription, PeerIncompatible};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::connection::ClientConnection;
use super::head::HeadScan;
use super::look_ahead::{LookAhead, Lookahead};
use super::readable::Readable;
use super::socket::Socket;
use super::unparsable::{self, Unparsable};
use crate::proxy::budgets::fair_budget::FairBudget;
use crate::proxy::downstream::bind::Terms;
use crate::proxy::downstream::rejected_connections::ConnectionRejection;

/// An accepted connection's bytes in both directions, decrypted.
pub struct TlsSocket(Arc<Mutex<TlsStream<Socket>>>);

/// The TLS session for those that do not read from it. It does not keep the connection open.
#[derive(Debug)]
struct Session(Weak<Mutex<TlsStream<Socket>>>);

/// Why a TLS connection could not be established, in words for the administrator of the client.
#[derive(Debug, thiserror::Error)]
pub enum TlsAcceptError {
    /// No byte was sent: the client only checked that something listens.
    #[error("the client closed the connection without sending anything")]
    NoData,
    #[error("{PLAIN}")]
    PlainHttp(Box<Socket>),
    #[error("the handshake took longer than {} s", HANDSHAKE_TIMEOUT.as_secs())]
    TooSlow,
    #[error(
        "the client aborted the handshake ({0}), probably because it does not trust the certificate. Make its machine trust the \
         authority that signed it, and check that the certificate names the host in the client's base address"
    )]
    Untrusted(String),
    #[error(
        "the client supports neither TLS 1.2 nor 1.3. Enable TLS 1.2 there, or have it use plain HTTP on \
         an address of its own"
    )]
    OldTls,
    #[error(
        "the client and this listener have no cipher in common. Windows before version 10 and Server 2016 needs a certificate with an \
         ECDSA key"
    )]
    NoCommonCipher,
    #[error("the handshake failed: {0}")]
    Failed(io::Error),
}

impl TlsSocket {
    /// Accepts a TLS connection.
    pub async fn accept(
        socket: TcpStream,
        peer: SocketAddr,
        tls: TlsAcceptor,
        memory: &FairBudget,
        terms: Terms,
    ) -> Result<Self, TlsAcceptError> {
        let handshake = async {
            let mut first = [0];
            match socket.peek(&mut first).await {
                Ok(1..) => {}
                _ => return Err(TlsAcceptError::NoData),
            }
            let socket = Socket::new(socket, peer, Scheme::HTTPS, memory, terms);
            let [first] = first;
            match first {
                HANDSHAKE_RECORD => tls.accept(socket).await.map_err(TlsAcceptError::of),
                // The first message of SSL 2, and of clients that could still speak it.
                0x80.. => Err(TlsAcceptError::OldTls),
                _ => Err(TlsAcceptError::PlainHttp(Box::new(socket))),
            }
        };
        let stream =
            tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await.map_err(|_| TlsAcceptError::TooSlow)??;
        let (socket, session) = stream.get_ref();
        let connection = socket.connection.clone();
        if let Some(chain) = session.peer_certificates() {
            connection.certificate.set(chain);
        }
        let stream = Arc::new(Mutex::new(stream));
        let _ = connection.session.set(Box::new(Session(Arc::downgrade(&stream))));
        Ok(Self(stream))
    }

    pub fn connection(&self) -> Arc<ClientConnection> {
        lock(&self.0).get_ref().0.connection.clone()
    }
}

impl LookAhead for Session {
    fn look_ahead(&self, socket: &TcpStream) -> Lookahead {
        let Some(stream) = self.0.upgrade() else { return Lookahead::End };
        let mut stream = lock(&stream);
        let (_, session) = stream.get_mut();
        while session.wants_read() {
            match session.read_tls(&mut Available(socket)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Ok(0) | Err(_) => return Lookahead::End,
                Ok(_) if session.process_new_packets().is_err() => return Lookahead::End,
                Ok(_) => {}
            }
        }
        match session.process_new_packets() {
            Ok(state) if state.plaintext_bytes_to_read() > 0 => Lookahead::Bytes,
            Ok(state) if !state.peer_has_closed() => Lookahead::Nothing,
            _ => Lookahead::End,
        }
    }
}

/// A panic while it was locked leaves a session no worse than an aborted one.
fn lock(stream: &Mutex<TlsStream<Socket>>) -> MutexGuard<'_, TlsStream<Socket>> {
    stream.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a socket has received so far.
struct Available<'s>(&'s TcpStream);

impl io::Read for Available<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl TlsAcceptError {
    fn of(error: io::Error) -> Self {
        use AlertDescription::{
            AccessDenied, BadCertificate, CertificateExpired, CertificateUnknown, DecryptError, UnknownCA,
            UnsupportedCertificate,
        };

        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::AlertReceived(
                alert @ (AccessDenied
                | BadCertificate
                | CertificateExpired
                | CertificateUnknown
                | DecryptError
                | UnknownCA
                | UnsupportedCertificate),
            )) => Self::Untrusted(format!("{alert:?}")),
            Some(rustls::Error::PeerIncompatible(
                PeerIncompatible::Tls12NotOffered
                | PeerIncompatible::Tls12NotOfferedOrEnabled
                // TLS 1.2 requires it (RFC 5246, section 7.4.1.4.1).
                | PeerIncompatible::SignatureAlgorithmsExtensionRequired,
            )) => Self::OldTls,
            Some(rustls::Error::PeerIncompatible(_)) => Self::NoCommonCipher,
            None if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => {
                Self::Untrusted("it closed the connection".to_owned())
            }
            _ => Self::Failed(error),
        }
    }

    /// The reason under which the connection is counted.
    pub fn rejection(&self) -> ConnectionRejection {
        match self {
            Self::PlainHttp(_) => ConnectionRejection::HttpOnHttps,
            Self::TooSlow => ConnectionRejection::TlsTimeout,
            Self::Untrusted(_) => ConnectionRejection::UntrustedCertificate,
            Self::OldTls => ConnectionRejection::OldTls,
            Self::NoCommonCipher => ConnectionRejection::NoCommonCipher,
            Self::NoData | Self::Failed(_) => ConnectionRejection::TlsHandshake,
        }
    }

    /// Sends a response, where the client can read one.
    pub async fn response(self) {
        let Self::PlainHttp(mut socket) = self else { return };
        let (mut head, mut scan) = (Vec::new(), HeadScan::default());
        let reading = async {
            while scan.end(&head).is_none() && head.len() < MAX_PLAIN_HEAD_BYTES {
                if !matches!(socket.read_buf(&mut head).await, Ok(1..)) {
                    break;
                }
            }
        };
        // What arrived until then shows well enough which kind of client it is.
        let _ = tokio::time::timeout(HANDSHAKE_TIMEOUT, reading).await;
        socket.connection.leave_unread();
        // A client that is gone needs no response.
        let unparsable = Unparsable { status: StatusCode::BAD_REQUEST, reason: PLAIN };
        if socket.write_all(&unparsable::response(unparsable, &head)).await.is_ok() {
            let _ = socket.shutdown().await;
        }
    }
}

impl Readable for TlsSocket {
    /// An idle client has sent no more than was read: what comes next is seen at its socket.
    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        lock(&self.0).get_ref().0.poll_readable(context)
    }
}

impl AsyncRead for TlsSocket {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match ready!(Pin::new(&mut *lock(&self.0)).poll_read(context, buffer)) {
            // Many clients close without a TLS close. Whether a request is complete is told by its own length.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
            result => Poll::Ready(result),
        }
    }
}

impl AsyncWrite for TlsSocket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *lock(&self.0)).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *lock(&self.0)).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *lock(&self.0)).poll_flush(context)
    }

    /// Sends the TLS close. A connection that is dropped instead sends none: its response is incomplete.
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *lock(&self.0)).poll_shutdown(context)
    }
}

/// From the accepted connection to the last message of the handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The beginning of every TLS connection (RFC 8446, section 5.1).
const HANDSHAKE_RECORD: u8 = 0x16;

/// Enough to see which kind of client it is.
const MAX_PLAIN_HEAD_BYTES: usize = 16 * 1024;

const PLAIN: &str = "the client speaks plain HTTP on an address for HTTPS. Change its base address to https://, or have it use an address of \
     `listen` in proxy.yaml that has no `tls`";
