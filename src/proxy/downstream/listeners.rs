//! The listeners in service: which ones a configuration opens, keeps and closes.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::bind::{
    self, BindError, ListenerCertificate, ListenerError, ListenerKey, LocalAddress, Terms, TermsInForce,
};
use super::inherited_sockets::{InheritedSockets, OpenSocket, StoredSocket};
use super::serve::Stop;
use crate::config::Listener;

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
    /// The copy of its socket that the next process gets.
    stored: Option<StoredSocket>,
}

/// The listeners of a configuration, ready to take effect.
pub struct PreparedListeners(Vec<PreparedListener>);

struct PreparedListener {
    listener: Listener,
    key: ListenerKey,
    terms: TermsInForce,
    /// `None`: it is open already.
    socket: Option<OpenSocket>,
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
        let keys: Vec<ListenerKey> = prepared.iter().map(|listener: &PreparedListener| listener.key).collect();
        self.inherited.close_unused(&keys);
        let removed: Vec<SocketAddr> = removed.iter().map(|open_listener| open_listener.address.socket).collect();
        for (open_listener, _) in prepared.iter_mut().zip(is_new).filter(|(_, is_new)| *is_new) {
            open_listener.socket = Some(self.listen(open_listener.key, &removed).await?);
        }
        Ok(PreparedListeners(prepared))
    }

    /// Opens a listener. If one that is about to close blocks the address, such as 127.0.0.1:8080 for 0.0.0.0:8080,
    /// that one closes first.
    async fn listen(&mut self, key: ListenerKey, removed: &[SocketAddr]) -> Result<OpenSocket, BindError> {
        let error = match self.inherited.listen(self.name, key) {
            Err(error) if error.reason.kind() == io::ErrorKind::AddrInUse => error,
            result => return result,
        };
        let blocking = |open_listener: &OpenListener| {
            open_listener.address.socket.port() == key.wanted.port() && removed.contains(&open_listener.address.socket)
        };
        let Some(at) = self.open.iter().position(blocking) else { return Err(error) };
        let OpenListener { key: old, address, terms, accepting, serving, stop, stored } = self.open.remove(at);
        close(accepting, serving, stop, stored).await;
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
        for OpenListener { accepting, serving, stop, stored, .. } in before {
            tokio::spawn(close(accepting, serving, stop, stored));
        }
    }

    /// Closes this process's copies of stored sockets. The listeners themselves still accept.
    pub fn release_stored(&mut self) {
        for open_listener in &mut self.open {
            open_listener.stored = None;
        }
    }

    fn open_listener(&self, key: ListenerKey, address: LocalAddress, terms: Terms, socket: OpenSocket) -> OpenListener {
        let (socket, stored) = self.inherited.take_into_service(key.wanted, socket);
        let stop = Stop { draining: self.stop.draining.child_token(), ..self.stop.clone() };
        let accepting = stop.draining.child_token();
        let serving = (self.serve)(socket, terms.clone(), accepting.clone(), stop.clone());
        OpenListener { key, address, terms, accepting, serving, stop, stored }
    }
}

/// Closes a listener and lets its connections finish.
async fn close(accepting: CancellationToken, serving: JoinHandle<()>, stop: Stop, stored: Option<StoredSocket>) {
    accepting.cancel();
    // It ends in any case.
    let _ = serving.await;
    if let Some(stored) = stored {
        stored.close();
    }
    stop.draining.cancel();
}
