//! Binding an address, and the terms on which connections are accepted there.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper::http::uri::Scheme;
use socket2::{Domain, Socket, Type};
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::config::{self, AllowFrom, ClientAuth};
use crate::tls::{CertificatePart, ClientVerifier, ClientVerifierError, ServerCertificate, ServerCertificateError};

/// An address that can't be bound.
#[derive(Debug, thiserror::Error)]
#[error("{key}: can't listen on {address}: {}", explain(.reason))]
pub struct BindError {
    /// The key of proxy.yaml that names the address.
    pub key: &'static str,
    /// The address.
    pub address: SocketAddr,
    /// The operating system's error.
    pub reason: io::Error,
}

impl BindError {
    /// Whether another port would work.
    pub fn is_taken(&self) -> bool {
        match self.reason.kind() {
            io::ErrorKind::AddrInUse => true,
            // Windows' error for a port that HTTP.sys or another program uses exclusively, and for excluded port
            // ranges.
            io::ErrorKind::PermissionDenied => cfg!(windows),
            _ => false,
        }
    }
}

/// What makes a listener the same as before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ListenerKey {
    /// As configured: the port may be chosen by the system.
    pub wanted: SocketAddr,
    /// IPv4 is left to another listener.
    pub is_v6_only: bool,
}

/// Opens a port. `name`: the key of proxy.yaml that has it.
pub fn bind(name: &'static str, key: ListenerKey) -> Result<TcpListener, BindError> {
    open(key).map_err(|reason| BindError { key: name, address: key.wanted, reason })
}

/// The terms on which a listener accepts connections. A reload may replace them. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Terms(Arc<ArcSwap<TermsInForce>>);

/// The terms for a connection that is accepted now.
#[derive(Clone, Default)]
pub struct TermsInForce {
    /// `None`: plain HTTP.
    pub tls: Option<TlsAcceptor>,
    /// When the certificate expires.
    pub certificate_expires: Option<OffsetDateTime>,
    /// What the certificates of clients are checked against.
    pub client_verifier: Option<ClientVerifier>,
    /// How clients prove who they are, on routes that say nothing else.
    pub client_auth: Option<ClientAuth>,
    /// The load balancers whose requests name their client in `X-Forwarded-For`.
    pub forwarders: Option<AllowFrom>,
    /// The load balancers whose connections begin with a PROXY protocol header.
    pub balancers: Option<AllowFrom>,
}

impl fmt::Debug for TermsInForce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TermsInForce").field("client_auth", &self.client_auth).finish_non_exhaustive()
    }
}

impl Terms {
    /// Terms that begin with these.
    pub fn new(terms: TermsInForce) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(terms)))
    }

    /// Those for a connection that is accepted now.
    pub fn in_force(&self) -> Arc<TermsInForce> {
        self.0.load_full()
    }

    /// Replaces them for later connections.
    pub fn replace(&self, terms: TermsInForce) {
        self.0.store(Arc::new(terms));
    }
}

/// Why a listener can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum ListenerError {
    /// The address can't be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A file of its certificate can't be used.
    #[error("{key}: the {file} of {address}, {}, {reason}; {}", path.display(), reason.help())]
    ServerCertificate {
        /// The key of proxy.yaml that names the address.
        key: &'static str,
        /// The listener's address.
        address: SocketAddr,
        /// Which of its files.
        file: &'static str,
        /// Where it is.
        path: Box<Path>,
        /// What is wrong with it.
        reason: ServerCertificateError,
    },
    /// A file for the certificates of clients can't be used.
    #[error("{key}: the {file} of {address}, {}, {reason}; {}", path.display(), reason.help())]
    ClientVerifier {
        /// The key of proxy.yaml that names the address.
        key: &'static str,
        /// The listener's address.
        address: SocketAddr,
        /// The key of the file.
        file: &'static str,
        /// Where it is.
        path: Box<Path>,
        /// What is wrong with it.
        reason: ClientVerifierError,
    },
    /// Its certificate can't be served.
    #[error("{key}: {address} can't speak TLS ({reason})")]
    Tls {
        /// The key of proxy.yaml that names the address.
        key: &'static str,
        /// The listener's address.
        address: SocketAddr,
        /// Why rustls rejects the certificate.
        reason: rustls::Error,
    },
}

/// The terms of a listener, its files read now. `key`: the key of proxy.yaml that names it.
pub fn terms(key: &'static str, listener: &config::Listener) -> Result<TermsInForce, ListenerError> {
    let client_verifier = client_verifier(key, listener)?;
    let (tls, certificate_expires) = acceptor(key, listener, client_verifier.as_ref())?.unzip();
    Ok(TermsInForce {
        tls,
        certificate_expires,
        client_verifier,
        client_auth: listener.client_auth.clone(),
        forwarders: listener.forwarded_for.clone(),
        balancers: listener.proxy_protocol.clone(),
    })
}

fn client_verifier(key: &'static str, listener: &config::Listener) -> Result<Option<ClientVerifier>, ListenerError> {
    let Some(files) = &listener.tls else { return Ok(None) };
    let Some(authority) = &files.client_ca else { return Ok(None) };
    let verifier = ClientVerifier::read(authority, files.client_crl.as_deref());
    verifier.map(Some).map_err(|reason| {
        let (file, path) = match (reason.is_about_revocation(), &files.client_crl) {
            (true, Some(lists)) => ("client_crl", lists),
            _ => ("client_ca", authority),
        };
        ListenerError::ClientVerifier { key, address: listener.address, file, path: path.as_path().into(), reason }
    })
}

/// What speaks TLS, and when its certificate expires.
fn acceptor(
    key: &'static str,
    listener: &config::Listener,
    client_verifier: Option<&ClientVerifier>,
) -> Result<Option<(TlsAcceptor, OffsetDateTime)>, ListenerError> {
    let Some(files) = &listener.tls else { return Ok(None) };
    let address = listener.address;
    let identity = ServerCertificate::read(&files.certificate, &files.private_key).map_err(|reason| {
        let (file, path) = match reason.part() {
            CertificatePart::Certificate => ("certificate", &files.certificate),
            CertificatePart::PrivateKey => ("private key", &files.private_key),
        };
        ListenerError::ServerCertificate { key, address, file, path: path.as_path().into(), reason }
    })?;
    let config =
        identity.server_config(client_verifier).map_err(|reason| ListenerError::Tls { key, address, reason })?;
    Ok(Some((TlsAcceptor::from(Arc::new(config)), identity.expires)))
}

/// The address of a listener as a client would write it: `https://127.0.0.1:8443`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalAddress {
    /// What is spoken there: `http` or `https`.
    pub scheme: Scheme,
    /// Address and port.
    pub socket: SocketAddr,
}

/// A certificate that a listener presents.
#[derive(Debug, Clone)]
pub struct ListenerCertificate {
    /// Where.
    pub listener: LocalAddress,
    /// When it expires.
    pub expires: OffsetDateTime,
}

impl ListenerCertificate {
    /// What to tell about its expiry: complete sentences; `None` while more than 30 days are left.
    pub fn expiry_warning(&self) -> Option<String> {
        let Self { listener, expires } = self;
        let (left, day) = (*expires - OffsetDateTime::now_utc(), expires.date());
        let what = if left.is_negative() {
            format!("The certificate of {listener} has expired on {day}: clients reject it.")
        } else if left <= EXPIRES_SOON {
            format!("The certificate of {listener} expires on {day}, in {} days.", left.whole_days())
        } else {
            return None;
        };
        let fix = "Renew it: bcproxy reads the new file without a restart. `bcproxy certificate --renew` renews one of its own.";
        Some(format!("{what} {fix}"))
    }
}

impl fmt::Display for LocalAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.socket)
    }
}

/// Leaves time to renew a certificate.
const EXPIRES_SOON: Duration = Duration::from_secs(30 * 24 * 60 * 60);

fn open(ListenerKey { wanted: address, is_v6_only }: ListenerKey) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        // By default, Linux accepts IPv4 at `[::]`, too, and Windows does not.
        socket.set_only_v6(is_v6_only)?;
    }
    socket.set_nonblocking(true)?;
    // As tokio does. On Windows it would let two programs share a port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn explain(reason: &io::Error) -> String {
    match reason.kind() {
        io::ErrorKind::AddrInUse => {
            "another program (or another bcproxy) uses this port. Stop it, or choose another port".to_owned()
        }
        io::ErrorKind::PermissionDenied => PERMISSION_DENIED.to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine has no such address. Use one of its own".to_owned(),
        _ => format!("{reason}"),
    }
}

/// Connections that may wait to be accepted, if the system allows as many (Linux: `net.core.somaxconn`). A client that
/// finds the backlog full
/// tries again a second later. All tills of a chain that come back at once after a power cut must fit.
pub const MAX_BACKLOG: u16 = 4096;

/// [`MAX_BACKLOG`] for the system: Windows limits the backlog to 200 unless the number is negative (SOMAXCONN_HINT in
/// winsock2.h).
const BACKLOG: i32 = if cfg!(windows) { -(MAX_BACKLOG as i32) } else { MAX_BACKLOG as i32 };

const PERMISSION_DENIED: &str = if cfg!(windows) {
    "Windows denies this port: another program uses it exclusively (such as IIS), or it is excluded (see `netsh int ipv4 \
     show excludedportrange tcp`). Choose another port"
} else {
    "this user may not use this port. Choose one above 1023, or list this one in bcproxy.socket of systemd"
};

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpStream};
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn hundreds_who_come_at_once_wait_until_they_are_accepted() {
        let key = ListenerKey { wanted: "127.0.0.1:0".parse().unwrap(), is_v6_only: false };
        let listener = bind("listen", key).unwrap();
        let address = listener.local_addr().unwrap();
        // No connection is accepted. One that finds the backlog full waits as long as it is tried.
        let connect = |_| TcpStream::connect_timeout(&address, Duration::from_secs(60));
        let waiting: Result<Vec<_>, _> = (0..500).map(connect).collect();
        assert_eq!(waiting.unwrap().len(), 500);
    }

    #[tokio::test]
    async fn every_address_of_version_6_takes_version_4_too_unless_told_otherwise() {
        for is_v6_only in [false, true] {
            let key = ListenerKey { wanted: "[::]:0".parse().unwrap(), is_v6_only };
            let listener = bind("listen", key).unwrap();
            let port = listener.local_addr().unwrap().port();
            let connected = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
            assert_eq!(connected.is_ok(), !is_v6_only);
        }
    }
}
