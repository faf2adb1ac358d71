//! Sockets that the service manager holds, so that no connection is refused while bcproxy restarts.
//!
//! Some it opens itself, as systemd does for a socket unit. Others bcproxy has opened and stored there.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener as StdListener};
use std::sync::Arc;

use socket2::{SockRef, Socket};
use tokio::net::TcpListener;

use super::bind::{self, BindError, ListenerKey};
use crate::config::Listener;

/// Keeps copies of listening sockets open beyond the end of this process, and passes them to the next one.
pub trait SocketStore: Send + Sync {
    /// Stores a copy of the socket under this name, which no other socket in the store has.
    fn add(&self, name: &str, socket: &Socket);

    /// Closes the copy with this name.
    fn remove(&self, name: &str);
}

/// The sockets that this process got from the service manager, and the store for further ones.
#[derive(Default)]
pub struct InheritedSockets {
    /// The service manager opened these and keeps them open, whatever the configuration says.
    activated: Vec<StdListener>,
    /// Those from the store that no listener uses yet.
    stored: Vec<StoredSocket>,
    store: Option<Arc<dyn SocketStore>>,
}

/// A socket that is in the store, too.
pub struct StoredSocket {
    name: String,
    socket: Socket,
    store: Arc<dyn SocketStore>,
}

/// A socket for a listener that is not in service yet.
pub struct OpenSocket {
    listener: TcpListener,
    origin: Origin,
}

enum Origin {
    Activated,
    Stored(StoredSocket),
    Bound,
}

impl InheritedSockets {
    /// The sockets that the service manager opened.
    pub fn new(activated: Vec<StdListener>) -> Self {
        Self { activated, ..Self::default() }
    }

    /// The same, with a store and the sockets that were in it, by name.
    pub fn with_store(self, store: Arc<dyn SocketStore>, stored: Vec<(String, StdListener)>) -> Self {
        let of_store =
            |(name, socket): (String, StdListener)| StoredSocket { name, socket: socket.into(), store: store.clone() };
        Self { stored: stored.into_iter().map(of_store).collect(), store: Some(store), ..self }
    }

    /// Sockets of the service manager that none of these listeners uses: clients that connect there would wait forever.
    pub fn unwanted(&self, listeners: &[Listener]) -> Vec<SocketAddr> {
        let open = self.activated.iter().filter_map(|socket| socket.local_addr().ok());
        open.filter(|&open| !listeners.iter().any(|listener| covers(open, listener.address))).collect()
    }

    /// Closes the sockets from the store that none of these listeners uses.
    pub fn close_unused(&mut self, keys: &[ListenerKey]) {
        let is_activated = |key: &ListenerKey| self.activated_at(key.wanted).is_some();
        let keys: Vec<ListenerKey> = keys.iter().filter(|key| !is_activated(key)).copied().collect();
        let is_used = |stored: &mut StoredSocket| keys.iter().any(|&key| stored.is_for(key));
        let unused: Vec<StoredSocket> = self.stored.extract_if(.., |stored| !is_used(stored)).collect();
        unused.into_iter().for_each(StoredSocket::close);
    }

    /// Listens at an address, on an inherited socket if there is one. `name`: the key of proxy.yaml that has it.
    pub fn listen(&mut self, name: &'static str, key: ListenerKey) -> Result<OpenSocket, BindError> {
        let (listener, origin) = if let Some(socket) = self.activated_at(key.wanted) {
            // A copy: the socket itself stays available for a reload.
            (adopt(SockRef::from(socket)), Origin::Activated)
        } else if let Some(at) = self.stored.iter().position(|stored| stored.is_for(key)) {
            let stored = self.stored.remove(at);
            (adopt(SockRef::from(&stored.socket)), Origin::Stored(stored))
        } else {
            return bind::bind(name, key).map(|listener| OpenSocket { listener, origin: Origin::Bound });
        };
        let listener = listener.map_err(|reason| BindError { key: name, address: key.wanted, reason })?;
        Ok(OpenSocket { listener, origin })
    }

    /// Takes a socket into service: stores one that bcproxy opened itself, if there is a store.
    pub fn take_into_service(
        &self,
        wanted: SocketAddr,
        OpenSocket { listener, origin }: OpenSocket,
    ) -> (TcpListener, Option<StoredSocket>) {
        let stored = match (origin, &self.store) {
            (Origin::Activated, _) | (Origin::Bound, None) => None,
            (Origin::Stored(stored), _) => Some(stored),
            // The next process can't know that it is meant for a port of the system's choice.
            (Origin::Bound, Some(_)) if wanted.port() == 0 => None,
            (Origin::Bound, Some(store)) => StoredSocket::add(store.clone(), wanted, &listener),
        };
        (listener, stored)
    }

    fn activated_at(&self, address: SocketAddr) -> Option<&StdListener> {
        self.activated.iter().find(|socket| socket.local_addr().is_ok_and(|open| covers(open, address)))
    }
}

impl StoredSocket {
    fn add(store: Arc<dyn SocketStore>, address: SocketAddr, listener: &TcpListener) -> Option<Self> {
        match SockRef::from(listener).try_clone() {
            Ok(socket) => {
                let name = name(address);
                store.add(&name, &socket);
                Some(Self { name, socket, store })
            }
            Err(error) => {
                tracing::debug!("the socket of {address} is not stored for a restart: {error}");
                None
            }
        }
    }

    /// Closes the socket for every process that has a copy of it.
    pub fn close(self) {
        // The store may still have its copy for a moment, and clients would connect to that.
        if let Err(error) = self.socket.shutdown(Shutdown::Both) {
            tracing::debug!("shutting down the stored socket {} failed: {error}", self.name);
        }
        self.store.remove(&self.name);
    }

    /// Whether the socket accepts exactly what a listener with this key would.
    fn is_for(&self, key: ListenerKey) -> bool {
        let address = self.socket.local_addr().ok().and_then(|address| address.as_socket());
        address == Some(key.wanted)
            && (key.wanted.is_ipv4() || self.socket.only_v6().is_ok_and(|is_v6_only| is_v6_only == key.is_v6_only))
    }
}

impl OpenSocket {
    /// Its address, with the port that the system chose if it did.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A copy of a listening socket for the runtime.
fn adopt(socket: SockRef<'_>) -> io::Result<TcpListener> {
    let socket = socket.try_clone()?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

/// The name in the store. systemd allows no colons in it.
fn name(address: SocketAddr) -> String {
    format!("{STORED_PREFIX}{address}").replace(':', "_")
}

/// Whether a socket at `open` accepts exactly what comes to `wanted`.
fn covers(open: SocketAddr, wanted: SocketAddr) -> bool {
    // systemd's `ListenStream=8080` opens `[::]` for IPv4 and IPv6.
    open == wanted || (open.port() == wanted.port() && open.ip().is_unspecified() && wanted.ip().is_unspecified())
}

/// With this begin the names of all sockets that bcproxy stores.
pub const STORED_PREFIX: &str = "listener-";

// Shutting a listening socket down frees its port on Linux, where the store is.
#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// The names of what was added and removed.
    #[derive(Default)]
    struct Store(Mutex<Vec<String>>);

    impl SocketStore for Store {
        fn add(&self, name: &str, _: &Socket) {
            self.0.lock().unwrap().push(format!("+{name}"));
        }

        fn remove(&self, name: &str) {
            self.0.lock().unwrap().push(format!("-{name}"));
        }
    }

    #[tokio::test]
    async fn a_stored_socket_for_ipv4_too_is_not_one_for_ipv6_only() {
        let key = |address: &str, is_v6_only| ListenerKey { wanted: address.parse().unwrap(), is_v6_only };
        let both = bind::bind("listen", key("[::]:0", false)).unwrap().into_std().unwrap();
        let port = both.local_addr().unwrap().port();
        let (wide, narrow) = (format!("[::]:{port}"), format!("0.0.0.0:{port}"));
        let copy = || vec![(name(wide.parse().unwrap()), both.try_clone().unwrap())];
        let store = Arc::new(Store::default());

        let mut inherited = InheritedSockets::default().with_store(store.clone(), copy());
        inherited.close_unused(&[key(&wide, false)]);
        let socket = inherited.listen("listen", key(&wide, false)).unwrap();
        let (_listener, stored) = inherited.take_into_service(wide.parse().unwrap(), socket);
        assert!(stored.is_some() && store.0.lock().unwrap().is_empty());

        let mut inherited = InheritedSockets::default().with_store(store.clone(), copy());
        let keys = [key(&wide, true), key(&narrow, false)];
        inherited.close_unused(&keys);
        let open: Vec<_> = keys
            .iter()
            .map(|&key| {
                let socket = inherited.listen("listen", key).unwrap();
                inherited.take_into_service(key.wanted, socket)
            })
            .collect();
        assert!(open.iter().all(|(_, stored)| stored.is_some()));
        let expected = ["-listener-[__]", "+listener-[__]", "+listener-0.0.0.0"].map(|name| format!("{name}_{port}"));
        assert_eq!(*store.0.lock().unwrap(), expected);
    }
}
