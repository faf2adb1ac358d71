//! TLS, between the socket and what reads requests.

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
use super::head::end_of_head;
use super::look_ahead::{LookAhead, Lookahead};
use super::readable::Readable;
use super::socket::Socket;
use super::unreadable;
use super::write_backlog::BacklogBudget;

/// One accepted connection's bytes in both directions, without their encryption.
pub struct SecuredSocket(Arc<Mutex<TlsStream<Socket>>>);

/// What lies between us and a client that speaks TLS, for those who do not read from it. It does not keep the connection open.
#[derive(Debug)]
struct Session(Weak<Mutex<TlsStream<Socket>>>);

/// Why a connection could not be secured, in words for whoever looks after the client.
#[derive(Debug, thiserror::Error)]
pub enum NotSecured {
    /// Before its first byte: it only looked whether somebody listens.
    #[error("the client closed the connection at once")]
    LookedIn,
    #[error("{PLAIN}")]
    PlainHttp(Box<Socket>),
    #[error("the handshake took longer than {} s", HANDSHAKE_TIME.as_secs())]
    TooSlow,
    #[error(
        "the program broke the handshake off ({0}); most programs do so when they don't trust the certificate: let its machine trust the \
         authority that signed it, and look whether the certificate names the host in the program's address"
    )]
    Untrusted(String),
    #[error(
        "the program speaks no TLS 1.2 or 1.3, and older versions are not spoken here; switch TLS 1.2 on there, or have it use plain HTTP on \
         an address of its own"
    )]
    OldTls,
    #[error(
        "the program and this listener have no cipher in common; Windows before version 10 and Server 2016 needs a certificate with an \
         ECDSA key"
    )]
    NoCommonCipher,
    #[error("the handshake failed: {0}")]
    Failed(io::Error),
}

impl SecuredSocket {
    /// Has the client begin TLS.
    pub async fn secure(
        socket: TcpStream,
        peer: SocketAddr,
        tls: TlsAcceptor,
        room: BacklogBudget,
    ) -> Result<Self, NotSecured> {
        let handshake = async {
            let mut first = [0];
            match socket.peek(&mut first).await {
                Ok(1..) => {}
                _ => return Err(NotSecured::LookedIn),
            }
            let socket = Socket::new(socket, peer, Scheme::HTTPS, room);
            let [first] = first;
            match first {
                HANDSHAKE_RECORD => tls.accept(socket).await.map_err(NotSecured::of),
                // The first message of SSL 2 and of those who still could speak it.
                0x80.. => Err(NotSecured::OldTls),
                _ => Err(NotSecured::PlainHttp(Box::new(socket))),
            }
        };
        let stream = tokio::time::timeout(HANDSHAKE_TIME, handshake).await.map_err(|_| NotSecured::TooSlow)??;
        let connection = stream.get_ref().0.connection();
        let stream = Arc::new(Mutex::new(stream));
        connection.set_session(Box::new(Session(Arc::downgrade(&stream))));
        Ok(Self(stream))
    }

    fn lock(&self) -> MutexGuard<'_, TlsStream<Socket>> {
        lock(&self.0)
    }

    pub fn connection(&self) -> Arc<ClientConnection> {
        self.lock().get_ref().0.connection()
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

/// A panic while it was held leaves a session that is no worse than any broken off.
fn lock(stream: &Mutex<TlsStream<Socket>>) -> MutexGuard<'_, TlsStream<Socket>> {
    stream.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the system has of a socket by now.
struct Available<'s>(&'s TcpStream);

impl io::Read for Available<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl NotSecured {
    fn of(error: io::Error) -> Self {
        use AlertDescription::{
            AccessDenied, BadCertificate, CertificateExpired, CertificateUnknown, DecryptError, UnknownCA,
            UnsupportedCertificate,
        };
        let broke_off = || Self::Untrusted("it closed the connection".to_owned());
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
                // Every TLS 1.2 has it (RFC 5246, section 7.4.1.4.1).
                | PeerIncompatible::SignatureAlgorithmsExtensionRequired,
            )) => Self::OldTls,
            Some(rustls::Error::PeerIncompatible(_)) => Self::NoCommonCipher,
            None if error.kind() == io::ErrorKind::UnexpectedEof => broke_off(),
            None if error.kind() == io::ErrorKind::ConnectionReset => broke_off(),
            _ => Self::Failed(error),
        }
    }

    /// Whether somebody should look into it.
    pub fn is_worth_a_warning(&self) -> bool {
        !matches!(self, Self::LookedIn)
    }

    /// Tells a client that can be told.
    pub async fn answer(self) {
        let Self::PlainHttp(mut socket) = self else { return };
        let mut head = Vec::new();
        let reading = async {
            while end_of_head(&head, 0).is_none() && head.len() < LONGEST_PLAIN_HEAD {
                if !matches!(socket.read_buf(&mut head).await, Ok(1..)) {
                    break;
                }
            }
        };
        // What has come until then shows well enough which kind of client it is.
        let _ = tokio::time::timeout(HANDSHAKE_TIME, reading).await;
        socket.connection().stays_unread();
        // Whoever is gone by now needs no answer.
        if socket.write_all(&unreadable::answer(StatusCode::BAD_REQUEST, &head, PLAIN)).await.is_ok() {
            let _ = socket.shutdown().await;
        }
    }
}

impl Readable for SecuredSocket {
    /// A client that pauses has sent no more than was read: what comes next is seen at its socket.
    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.lock().get_ref().0.poll_readable(context)
    }
}

impl AsyncRead for SecuredSocket {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match ready!(Pin::new(&mut *self.lock()).poll_read(context, buffer)) {
            // Many close without saying so in TLS first. Whether a request is whole, its own length tells.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
            result => Poll::Ready(result),
        }
    }
}

impl AsyncWrite for SecuredSocket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.lock()).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.lock()).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_flush(context)
    }

    /// Says in TLS that the end is one. A connection that is dropped instead says nothing: what came on it is cut.
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_shutdown(context)
    }
}

/// From the accepted connection to the last message of the handshake.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// How every TLS connection begins (RFC 8446, section 5.1).
const HANDSHAKE_RECORD: u8 = 0x16;

/// Enough to see which kind of client it is.
const LONGEST_PLAIN_HEAD: usize = 16 * 1024;

const PLAIN: &str = "the program speaks plain HTTP on an address for HTTPS; write https:// into its base address, or have it use an address of \
     `listen` in proxy.yaml that has no `tls`";
