//! The listeners in service: which ones a configuration opens, keeps and closes.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::bind::{self, BindError, ListenerCertificate, ListenerError, LocalAddress, Terms, TermsInForce};
use super::serve::Stop;
use crate::config::Listener;

/// Sockets inherited from the service manager, which holds them during a restart so that no connection is refused.
#[derive(Debug, Default)]
pub struct InheritedSockets(Vec<StdListener>);

/// All listeners of a proxy, or of its admin listener.
pub struct Listeners {
    /// The key of proxy.yaml that names their addresses.
    name: &'static str,
    open: Vec<OpenListener>,
    inherited: InheritedSockets,
    serve: Box<Serve>,
    stop: Stop,
}

/// Serves a listener until it closes: gets its socket, its terms, the token that ends accepting, and the one that ends
/// its
/// connections.
type Serve = dyn Fn(TcpListener, Terms, CancellationToken, Stop) -> JoinHandle<()> + Send + Sync;

struct OpenListener {
    key: ListenerKey,
    address: LocalAddress,
    terms: Terms,
    accepting: CancellationToken,
    serving: JoinHandle<()>,
    /// For the connections accepted here.
    stop: Stop,
}

/// What makes a listener the same as before.
#[derive(Clone, Copy, PartialEq, Eq)]
struct ListenerKey {
    /// As configured: the port may be chosen by the system.
    wanted: SocketAddr,
    is_v6_only: bool,
}

/// The listeners of a configuration, ready to take effect.
pub struct PreparedListeners(Vec<PreparedListener>);

struct PreparedListener {
    listener: Listener,
    key: ListenerKey,
    terms: TermsInForce,
    /// `None`: it is open already.
    socket: Option<TcpListener>,
}

impl InheritedSockets {
    /// The sockets that the service manager passed.
    pub fn new(sockets: Vec<StdListener>) -> Self {
        Self(sockets)
    }

    /// Sockets that none of these listeners uses: clients that connect there would wait forever.
    pub fn unwanted(&self, listeners: &[Listener]) -> Vec<SocketAddr> {
        let open = self.0.iter().filter_map(|socket| socket.local_addr().ok());
        open.filter(|&open| !listeners.iter().any(|listener| covers(open, listener.address))).collect()
    }

    /// Listens at an address, on an inherited socket if there is one.
    fn listen(&self, name: &'static str, key: ListenerKey) -> Result<TcpListener, BindError> {
        let address = key.wanted;
        let is_at_address = |socket: &&StdListener| socket.local_addr().is_ok_and(|open| covers(open, address));
        let Some(socket) = self.0.iter().find(is_at_address) else {
            return bind::bind(name, address, key.is_v6_only);
        };
        let take = || {
            // A copy: the socket itself stays available for a reload.
            let socket = socket.try_clone()?;
            socket.set_nonblocking(true)?;
            TcpListener::from_std(socket)
        };
        take().map_err(|reason| BindError { key: name, address, reason })
    }
}

/// Whether a socket at `open` accepts exactly what comes to `wanted`.
fn covers(open: SocketAddr, wanted: SocketAddr) -> bool {
    // systemd's `ListenStream=8080` opens `[::]` for IPv4 and IPv6.
    open == wanted || (open.port() == wanted.port() && open.ip().is_unspecified() && wanted.ip().is_unspecified())
}

impl Listeners {
    /// None yet. `name`: the key of proxy.yaml that names their addresses.
    pub fn new(
        name: &'static str,
        inherited: InheritedSockets,
        stop: Stop,
        serve: impl Fn(TcpListener, Terms, CancellationToken, Stop) -> JoinHandle<()> + Send + Sync + 'static,
    ) -> Self {
        Self { name, open: Vec::new(), inherited, serve: Box::new(serve), stop }
    }

    /// Their addresses, in the order of `listen`.
    pub fn addresses(&self) -> impl Iterator<Item = LocalAddress> {
        self.open.iter().map(|open_listener| open_listener.address.clone())
    }

    /// The certificates in service, in the order of `listen`.
    pub fn certificates(&self) -> Vec<ListenerCertificate> {
        let certificate = |open_listener: &OpenListener| {
            let expires = open_listener.terms.in_force().certificate_expires?;
            Some(ListenerCertificate { listener: open_listener.address.clone(), expires })
        };
        self.open.iter().filter_map(certificate).collect()
    }

    /// Opens new listeners and reads all certificates. On error nothing changes.
    pub async fn prepare(&mut self, listeners: &[Listener]) -> Result<PreparedListeners, ListenerError> {
        let mut removed: Vec<&OpenListener> = self.open.iter().collect();
        let mut prepared = Vec::with_capacity(listeners.len());
        let mut is_new = Vec::with_capacity(listeners.len());
        for listener in listeners {
            let key = ListenerKey { wanted: listener.address, is_v6_only: listener.is_v6_only(listeners) };
            let found = removed.iter().position(|open_listener| open_listener.key == key).map(|at| removed.remove(at));
            is_new.push(found.is_none());
            let terms = bind::terms(self.name, listener)?;
            prepared.push(PreparedListener { listener: listener.clone(), key, terms, socket: None });
        }
        let removed: Vec<SocketAddr> = removed.iter().map(|open_listener| open_listener.address.socket).collect();
        for (open_listener, _) in prepared.iter_mut().zip(is_new).filter(|(_, is_new)| *is_new) {
            open_listener.socket = Some(self.listen(open_listener.key, &removed).await?);
        }
        Ok(PreparedListeners(prepared))
    }

    /// Opens a listener. If one that is about to close blocks the address, such as 127.0.0.1:8080 for 0.0.0.0:8080,
    /// that one closes first.
    async fn listen(&mut self, key: ListenerKey, removed: &[SocketAddr]) -> Result<TcpListener, BindError> {
        let error = match self.inherited.listen(self.name, key) {
            Err(error) if error.reason.kind() == io::ErrorKind::AddrInUse => error,
            result => return result,
        };
        let blocking = |open_listener: &OpenListener| {
            open_listener.address.socket.port() == key.wanted.port() && removed.contains(&open_listener.address.socket)
        };
        let Some(at) = self.open.iter().position(blocking) else { return Err(error) };
        let OpenListener { key: old, address, terms, accepting, serving, stop } = self.open.remove(at);
        close(accepting, serving, stop).await;
        let result = self.inherited.listen(self.name, key);
        let old_socket = ListenerKey { wanted: address.socket, ..old };
        if result.is_err()
            && let Ok(socket) = self.inherited.listen(self.name, old_socket)
        {
            let open_listener = self.open_listener(old, address, terms, socket);
            self.open.insert(at, open_listener);
        }
        result
    }

    /// Puts the prepared listeners into service and closes all others.
    pub fn take_effect(&mut self, PreparedListeners(prepared): PreparedListeners) {
        let mut before = std::mem::take(&mut self.open);
        for PreparedListener { listener, key, terms, socket } in prepared {
            let open_listener = match socket {
                Some(socket) => {
                    let bound = socket.local_addr().unwrap_or(listener.address);
                    let address = LocalAddress { scheme: listener.scheme(), socket: bound };
                    Some(self.open_listener(key, address, Terms::new(terms), socket))
                }
                None => before.iter().position(|open_listener| open_listener.key == key).map(|at| {
                    let mut open_listener = before.remove(at);
                    open_listener.terms.replace(terms);
                    open_listener.address.scheme = listener.scheme();
                    open_listener
                }),
            };
            self.open.extend(open_listener);
        }
        for OpenListener { accepting, serving, stop, .. } in before {
            tokio::spawn(close(accepting, serving, stop));
        }
    }

    fn open_listener(
        &self,
        key: ListenerKey,
        address: LocalAddress,
        terms: Terms,
        socket: TcpListener,
    ) -> OpenListener {
        let stop = Stop { draining: self.stop.draining.child_token(), ..self.stop.clone() };
        let accepting = stop.draining.child_token();
        let serving = (self.serve)(socket, terms.clone(), accepting.clone(), stop.clone());
        OpenListener { key, address, terms, accepting, serving, stop }
    }
}

/// Closes a listener and lets its connections finish.
async fn close(accepting: CancellationToken, serving: JoinHandle<()>, stop: Stop) {
    accepting.cancel();
    // It ends in any case.
    let _ = serving.await;
    stop.draining.cancel();
}
