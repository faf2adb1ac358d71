//! The doors that are open: which ones a configuration opens, keeps and closes.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::accept::Stop;
use super::bind::{self, BindError, ListenerError, LocalAddress, Tls};
use crate::config::Listener;

/// Sockets that are open already: the service manager holds them while we restart, so that nobody is refused.
#[derive(Debug, Default)]
pub struct InheritedSockets(Vec<StdListener>);

/// All doors of a proxy.
pub struct Listeners {
    open: Vec<OpenListener>,
    inherited: InheritedSockets,
    serve: Box<Serve>,
    stop: Stop,
}

/// Serves what comes in at a door until that closes: gets its listener, what is spoken there, what ends its accepting, and what ends its
/// connections.
type Serve = dyn Fn(TcpListener, Tls, CancellationToken, Stop) -> JoinHandle<()> + Send + Sync;

struct OpenListener {
    key: ListenerKey,
    address: LocalAddress,
    tls: Tls,
    accepting: CancellationToken,
    serving: JoinHandle<()>,
    /// For those who came in here.
    stop: Stop,
}

/// What makes a door the same one as before.
#[derive(Clone, Copy, PartialEq, Eq)]
struct ListenerKey {
    /// As the configuration has it: the port may be left to the system.
    wanted: SocketAddr,
    is_v6_only: bool,
}

/// All doors of a configuration, ready to be opened to the public.
pub struct PreparedListeners(Vec<PreparedListener>);

struct PreparedListener {
    listener: Listener,
    key: ListenerKey,
    tls: Option<TlsAcceptor>,
    /// `None`: it is open already.
    socket: Option<TcpListener>,
}

impl InheritedSockets {
    /// The sockets that the service manager passed.
    pub fn new(sockets: Vec<StdListener>) -> Self {
        Self(sockets)
    }

    /// Those that none of these listeners asks for: whoever connects there waits for ever.
    pub fn unwanted(&self, listeners: &[Listener]) -> Vec<SocketAddr> {
        let open = self.0.iter().filter_map(|socket| socket.local_addr().ok());
        open.filter(|&open| !listeners.iter().any(|listener| covers(open, listener.address))).collect()
    }

    /// Listens where it should, on a socket that is there already if one is.
    fn listen(&self, key: ListenerKey) -> Result<TcpListener, BindError> {
        let address = key.wanted;
        let is_there = |socket: &&StdListener| socket.local_addr().is_ok_and(|open| covers(open, address));
        let Some(socket) = self.0.iter().find(is_there) else { return bind::bind("listen", address, key.is_v6_only) };
        let take = || {
            // A copy: the socket itself stays open for another time.
            let socket = socket.try_clone()?;
            socket.set_nonblocking(true)?;
            TcpListener::from_std(socket)
        };
        take().map_err(|reason| BindError { key: "listen", address, reason })
    }
}

/// Whether a socket at `open` takes all that come to `wanted`, and nothing else.
fn covers(open: SocketAddr, wanted: SocketAddr) -> bool {
    // systemd's `ListenStream=8080` opens `[::]` for both versions.
    open == wanted || (open.port() == wanted.port() && open.ip().is_unspecified() && wanted.ip().is_unspecified())
}

impl Listeners {
    pub fn new(
        inherited: InheritedSockets,
        stop: Stop,
        serve: impl Fn(TcpListener, Tls, CancellationToken, Stop) -> JoinHandle<()> + Send + Sync + 'static,
    ) -> Self {
        Self { open: Vec::new(), inherited, serve: Box::new(serve), stop }
    }

    /// Where they are, in the order of `listen`.
    pub fn addresses(&self) -> impl Iterator<Item = LocalAddress> {
        self.open.iter().map(|door| door.address.clone())
    }

    /// Opens what is not open yet, and reads all certificates. On error everything is as before.
    pub async fn prepare(&mut self, listeners: &[Listener]) -> Result<PreparedListeners, ListenerError> {
        let mut gone: Vec<&OpenListener> = self.open.iter().collect();
        let mut prepared = Vec::with_capacity(listeners.len());
        let mut is_new = Vec::with_capacity(listeners.len());
        for listener in listeners {
            let key = ListenerKey { wanted: listener.address, is_v6_only: listener.is_v6_only(listeners) };
            let kept = gone.iter().position(|door| door.key == key).map(|at| gone.remove(at));
            is_new.push(kept.is_none());
            let tls = bind::acceptor(listener)?;
            prepared.push(PreparedListener { listener: listener.clone(), key, tls, socket: None });
        }
        let gone: Vec<SocketAddr> = gone.iter().map(|door| door.address.socket).collect();
        for (door, _) in prepared.iter_mut().zip(is_new).filter(|(_, is_new)| *is_new) {
            door.socket = Some(self.listen(door.key, &gone).await?);
        }
        Ok(PreparedListeners(prepared))
    }

    /// Opens a door. Where one that is about to close is in its way, such as 127.0.0.1:8080 in that of 0.0.0.0:8080, the two change places.
    async fn listen(&mut self, key: ListenerKey, gone: &[SocketAddr]) -> Result<TcpListener, BindError> {
        let error = match self.inherited.listen(key) {
            Err(error) if error.reason.kind() == io::ErrorKind::AddrInUse => error,
            result => return result,
        };
        let in_the_way = |door: &OpenListener| {
            door.address.socket.port() == key.wanted.port() && gone.contains(&door.address.socket)
        };
        let Some(at) = self.open.iter().position(in_the_way) else { return Err(error) };
        let OpenListener { key: old, address, tls, accepting, serving, stop } = self.open.remove(at);
        close(accepting, serving, stop).await;
        let result = self.inherited.listen(key);
        let old_socket = ListenerKey { wanted: address.socket, ..old };
        if result.is_err()
            && let Ok(socket) = self.inherited.listen(old_socket)
        {
            let door = self.door(old, address, tls, socket);
            self.open.insert(at, door);
        }
        result
    }

    /// Opens what was prepared to the public and closes all others.
    pub fn take_effect(&mut self, PreparedListeners(prepared): PreparedListeners) {
        let mut before = std::mem::take(&mut self.open);
        for PreparedListener { listener, key, tls: acceptor, socket } in prepared {
            let door = match socket {
                Some(socket) => {
                    let bound = socket.local_addr().unwrap_or(listener.address);
                    let address = LocalAddress { scheme: listener.scheme(), socket: bound };
                    let tls = Tls::default();
                    tls.show(acceptor);
                    Some(self.door(key, address, tls, socket))
                }
                None => before.iter().position(|door| door.key == key).map(|at| {
                    let mut door = before.remove(at);
                    door.tls.show(acceptor);
                    door.address.scheme = listener.scheme();
                    door
                }),
            };
            self.open.extend(door);
        }
        for OpenListener { accepting, serving, stop, .. } in before {
            tokio::spawn(close(accepting, serving, stop));
        }
    }

    fn door(&self, key: ListenerKey, address: LocalAddress, tls: Tls, socket: TcpListener) -> OpenListener {
        let stop = Stop { draining: self.stop.draining.child_token(), ..self.stop.clone() };
        let accepting = stop.draining.child_token();
        let serving = (self.serve)(socket, tls.clone(), accepting.clone(), stop.clone());
        OpenListener { key, address, tls, accepting, serving, stop }
    }
}

/// Closes a door and lets those who are in finish.
async fn close(accepting: CancellationToken, serving: JoinHandle<()>, stop: Stop) {
    accepting.cancel();
    // It ends in any case.
    let _ = serving.await;
    stop.draining.cancel();
}
