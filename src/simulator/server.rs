//! Both services together: starting, observing and stopping them.

use std::io;
use std::sync::Arc;

use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::breakage::Breakage;
use super::business_central::{BusinessCentral, Received};
use super::entra::{Entra, ManagedIdentityService, Tokens};
use super::listener::{self, ConnectionControl};
use super::settings::Settings;
use super::tls::ServerIdentity;

/// A running simulator: both services on 127.0.0.1, over TLS. Dropping it stops them.
pub struct Simulator {
    settings: Settings,
    authority: String,
    base_url: String,
    ca_pem: String,
    tokens: Arc<Tokens>,
    entra: Arc<Entra>,
    business_central: Arc<BusinessCentral>,
    connections: Arc<ConnectionControl>,
    tasks: TaskTracker,
    stop: DropGuard,
}

impl Simulator {
    /// Starts both services. Fails if a configured port is in use.
    pub async fn start(settings: Settings) -> io::Result<Self> {
        let actual = settings.as_deployed();
        let identity = ServerIdentity::generate("bcproxy simulator CA")?;
        let acceptor = match settings.broken {
            Some(Breakage::Tls) => ServerIdentity::generate("Contoso TLS Inspection")?.acceptor,
            _ => identity.acceptor,
        };
        let entra_listener = listener::bind(settings.entra_port).await?;
        let business_central_listener = listener::bind(settings.business_central_port).await?;
        let authority = format!("https://localhost:{}", entra_listener.local_addr()?.port());
        let base_url = format!("https://localhost:{}", business_central_listener.local_addr()?.port());

        let tokens = Arc::new(Tokens::default());
        let entra = Arc::new(Entra::new(&actual, &authority, tokens.clone()));
        let business_central = Arc::new(BusinessCentral::new(&actual, &base_url, tokens.clone()));

        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let connections = Arc::new(ConnectionControl::new(stop.clone()));
        if settings.broken == Some(Breakage::Connection) {
            // Frees the port, so that connections to it are refused.
            drop(entra_listener);
        } else {
            tasks.spawn(listener::serve(
                entra_listener,
                acceptor.clone(),
                entra.clone(),
                connections.clone(),
                tasks.clone(),
            ));
        }
        let service = business_central.clone();
        tasks.spawn(listener::serve(business_central_listener, acceptor, service, connections.clone(), tasks.clone()));

        Ok(Self {
            settings,
            authority,
            base_url,
            ca_pem: identity.ca_pem,
            tokens,
            entra,
            business_central,
            connections,
            tasks,
            stop: stop.drop_guard(),
        })
    }

    /// The origin of Entra: `https://localhost:PORT`.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The origin of Business Central: `https://localhost:PORT`.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The certificate authority that issued the certificates of both services, as PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The settings that a client must be configured with; a [`Breakage`] is not applied to them.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The switches and counters of Entra.
    pub fn entra(&self) -> &Entra {
        &self.entra
    }

    /// The switches and counters of Business Central.
    pub fn business_central(&self) -> &BusinessCentral {
        &self.business_central
    }

    /// The number of token requests that arrived, successful or not.
    pub fn token_requests(&self) -> u64 {
        self.entra.token_requests()
    }

    /// Starts the managed identity service of an Azure machine. Its system-assigned identity is the application of the
    /// settings.
    pub async fn identity_service(&self, user_assigned: Vec<Uuid>) -> io::Result<ManagedIdentityService> {
        let Settings { tenant_id, client_id, .. } = self.settings;
        ManagedIdentityService::start(tenant_id, self.tokens.clone(), client_id, user_assigned).await
    }

    /// Revokes every token issued so far.
    pub fn revoke_tokens(&self) {
        self.tokens.revoke_all();
    }

    /// The requests to Business Central, in the order in which their heads arrived. The oldest may have been dropped.
    pub fn received(&self) -> Vec<Received> {
        self.business_central.received()
    }

    /// Waits until `predicate` holds for [`received`](Self::received). It is called again after every change.
    pub async fn wait_for(&self, predicate: impl FnMut(&[Received]) -> bool) {
        self.business_central.wait_for(predicate).await;
    }

    /// Closes every open connection to both services, idle or not, and waits until they are closed.
    pub async fn close_connections(&self) {
        self.connections.close_connections().await;
    }

    /// Stops both services, and waits until every connection is closed and the ports are free.
    pub async fn stop(self) {
        drop(self.stop);
        self.tasks.close();
        self.tasks.wait().await;
    }
}
