//! The admin listener in service: its addresses, and the connections that it accepts there.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::connection::{Transport, serve};
use super::connections::{Connections, InRequest, Origin};
use super::respond::Service;
use crate::admin::access::{Access, AdminTokenError, CurrentToken, Peer, Rules};
use crate::admin::control::Control;
use crate::config::{self, AdminScope};
use crate::proxy::{
    InheritedSockets, ListenerCertificate, ListenerError, Listeners, LocalAddress, OwnScheme, PreparedListeners, Stop,
    Terms,
};

/// The admin listener in service. Dropping it stops it after the requests in flight.
pub struct Admin {
    listeners: Listeners,
    service: Service,
    stop: Stop,
}

/// Another configuration of the admin listener, ready to take effect.
pub struct PreparedAdmin {
    listeners: PreparedListeners,
    rules: Rules,
    token: Option<CurrentToken>,
}

/// Why the admin listener can't start.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// An address can't be listened on.
    #[error(transparent)]
    Listener(#[from] ListenerError),
    /// The token can't be used.
    #[error(transparent)]
    Token(#[from] AdminTokenError),
    /// The system has no randomness.
    #[error("admin: the system has no random numbers")]
    NoRandomness,
}

impl Admin {
    /// Listens and serves on the current runtime.
    ///
    /// At most 256 connections are open, fewer under a low limit on open files. For a new one, the oldest idle one is
    /// closed.
    pub async fn start(config: &config::Admin, control: Control) -> Result<Self, AdminError> {
        let service = Service {
            control,
            access: Arc::new(Access::new(Rules::new(config)).map_err(|_| AdminError::NoRandomness)?),
        };
        let (stop, connections) = (Stop::default(), Arc::new(Mutex::new(Connections::new())));
        let listeners = {
            let service = service.clone();
            Listeners::new("admin", InheritedSockets::default(), stop.clone(), move |socket, terms, accepting, stop| {
                let accepting =
                    Accepting { terms, connections: connections.clone(), service: service.clone(), stop, accepting };
                tokio::spawn(accepting.run(socket))
            })
        };
        let mut admin = Self { listeners, service, stop };
        let prepared = admin.prepare(config).await?;
        admin.take_effect(prepared);
        Ok(admin)
    }

    /// Opens the addresses of another configuration that are new, and reads its certificates and its token. On error
    /// nothing changes.
    pub async fn prepare(&mut self, config: &config::Admin) -> Result<PreparedAdmin, AdminError> {
        let token = match &config.token {
            Some(source) => Some(CurrentToken::read(source).await?),
            None => None,
        };
        let listeners = self.listeners.prepare(&config.listen).await?;
        Ok(PreparedAdmin { listeners, rules: Rules::new(config), token })
    }

    /// Puts another configuration into service, and closes addresses that it does not have.
    pub fn take_effect(&mut self, PreparedAdmin { listeners, rules, token }: PreparedAdmin) {
        // First: nobody connects to a new address by the rules of the old ones.
        self.service.access.replace(rules, token);
        self.listeners.take_effect(listeners);
    }

    /// Its addresses, in the order of the file.
    pub fn addresses(&self) -> Vec<LocalAddress> {
        self.listeners.addresses().collect()
    }

    /// The certificates in service.
    pub fn certificates(&self) -> Vec<ListenerCertificate> {
        self.listeners.certificates()
    }

    /// Stops it and waits for the requests in flight, at most a second.
    pub async fn close(self) {
        self.stop.draining.cancel();
        self.stop.connections.close();
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, self.stop.connections.wait()).await;
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.stop.draining.cancel();
    }
}

/// Accepts the connections of one address.
struct Accepting {
    terms: Terms,
    /// Those of all addresses.
    connections: Arc<Mutex<Connections>>,
    service: Service,
    stop: Stop,
    accepting: CancellationToken,
}

impl Accepting {
    async fn run(self, listener: TcpListener) {
        let Ok(local) = listener.local_addr() else { return };
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.accepting.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((socket, client)) => self.accept(socket, client, local),
                Err(_) => tokio::time::sleep(ACCEPT_BACK_OFF).await,
            }
        }
    }

    /// Serves a connection, unless its client may not connect or all connections wait for responses: then it is closed.
    fn accept(&self, socket: tokio::net::TcpStream, client: SocketAddr, local: SocketAddr) {
        let tls = self.terms.in_force().tls.clone();
        let (client, is_loopback) = (client.ip().to_canonical(), local.ip().to_canonical().is_loopback());
        let scope = AdminScope::new(is_loopback, tls.is_some());
        let scheme = if tls.is_some() { OwnScheme::Https } else { OwnScheme::Http };
        let peer = Peer { client, scope, scheme, port: local.port() };
        // Over plain HTTP, the response says why. A handshake costs more than the connection.
        if tls.is_some() && !self.service.access.allow(client, scope) {
            return self.service.log_rejected(client, "its network is not in `allow_from` of `admin`");
        }
        let origin = if is_loopback { Origin::ThisMachine } else { Origin::Elsewhere(client) };
        let mut open = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        if !open.admit(origin) {
            return;
        }
        let in_request = InRequest::default();
        let transport = Transport { socket, tls, peer };
        let serving = serve(transport, self.service.clone(), in_request.clone(), self.stop.draining.clone());
        open.add(self.stop.connections.spawn(serving).abort_handle(), in_request, origin);
    }
}

const ACCEPT_BACK_OFF: Duration = Duration::from_millis(100);

const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
