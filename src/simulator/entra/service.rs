//! Entra's switches and counters.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::StatusCode;
use tokio::sync::watch;
use uuid::Uuid;

use super::directory::Directory;
use super::faults::{Fault, Faults};
use super::registration::{AppRegistration, FederatedCredential, SecretState};
use super::tokens::Tokens;
use crate::simulator::breakage::Breakage;
use crate::simulator::lock::lock;
use crate::simulator::settings::Settings;
use crate::simulator::times::Times;

/// The simulated Entra: its switches and counters.
pub struct Entra {
    pub(super) tenant_id: Uuid,
    tenant_domain: String,
    pub(super) authority: String,
    pub(super) broken: Option<Breakage>,
    pub(super) tokens: Arc<Tokens>,
    pub(super) faults: Faults,
    pub(super) directory: Mutex<Directory>,
    pub(super) requests: watch::Sender<u64>,
    pub(super) concurrency: Mutex<Concurrency>,
    pub(super) rejected_connections: AtomicU64,
}

/// Requests in progress.
#[derive(Default)]
pub(super) struct Concurrency {
    pub current: u64,
    pub peak: u64,
}

impl Entra {
    pub(in crate::simulator) fn new(settings: &Settings, authority: &str, tokens: Arc<Tokens>) -> Self {
        let faults = Faults::default();
        if settings.broken == Some(Breakage::WebPage) {
            faults.set(Some((Fault::Html(StatusCode::OK), Times::Always)));
        }
        Self {
            tenant_id: settings.tenant_id,
            tenant_domain: settings.tenant_domain.clone(),
            authority: authority.to_owned(),
            broken: settings.broken,
            tokens,
            faults,
            directory: Mutex::new(Directory::new(settings)),
            requests: watch::Sender::new(0),
            concurrency: Mutex::default(),
            rejected_connections: AtomicU64::new(0),
        }
    }

    /// Activates a fault in place of the current one.
    pub fn fail(&self, fault: Fault, times: Times) {
        self.faults.set(Some((fault, times)));
    }

    /// Clears the fault. Requests that already wait for a latch go on waiting.
    pub fn recover(&self) {
        self.faults.set(None);
    }

    /// Adds a valid secret to an application, which is registered if necessary.
    pub fn add_secret(&self, client_id: Uuid, secret: &str) {
        self.set_state(client_id, secret, SecretState::Valid);
    }

    /// Makes this secret the only one of the application.
    pub fn replace_secrets(&self, client_id: Uuid, secret: &str) {
        let secrets = HashMap::from([(secret.to_owned(), SecretState::Valid)]);
        self.change(client_id, |registration| registration.secrets = secrets);
    }

    /// Marks a secret as expired.
    pub fn expire_secret(&self, client_id: Uuid, secret: &str) {
        self.set_state(client_id, secret, SecretState::Expired);
    }

    /// Uploads a certificate (PEM) to the application.
    pub fn add_certificate(&self, client_id: Uuid, pem: &str) {
        self.change(client_id, |registration| registration.add_certificate(pem));
    }

    /// Removes all certificates of the application.
    pub fn remove_certificates(&self, client_id: Uuid) {
        self.change(client_id, AppRegistration::remove_certificates);
    }

    /// Adds a federated credential to the application.
    pub fn add_federated_credential(&self, client_id: Uuid, credential: FederatedCredential) {
        self.change(client_id, |registration| registration.add_federated_credential(credential));
    }

    /// Sets Entra's clock ahead of this machine's by so many seconds, or behind it if negative.
    pub fn set_clock(&self, seconds_ahead: i64) {
        lock(&self.directory).clock_offset = seconds_ahead;
    }

    /// Rejects token requests that don't ask for exactly these claims; `None` lifts the requirement.
    pub fn require_claims(&self, claims: Option<&str>) {
        lock(&self.directory).required_claims = claims.map(ToOwned::to_owned);
    }

    /// The highest number of token requests in progress at the same time.
    pub fn peak_token_requests(&self) -> u64 {
        lock(&self.concurrency).peak
    }

    /// Sets the application permissions in tokens from now on. Without any, tokens have no `roles` claim.
    pub fn set_roles(&self, roles: &[&str]) {
        lock(&self.directory).roles = roles.iter().map(ToString::to_string).collect();
    }

    /// Sets the lifetime of tokens from now on, and their `refresh_in` if it is to be sent. Whole seconds.
    pub fn set_lifetime(&self, lifetime: Duration, refresh_in: Option<Duration>) {
        let mut directory = lock(&self.directory);
        directory.lifetime = lifetime;
        directory.refresh_in = refresh_in;
    }

    /// The number of token requests that arrived, successful or not.
    pub fn token_requests(&self) -> u64 {
        *self.requests.borrow()
    }

    /// Waits until at least this many token requests have arrived.
    pub async fn wait_for_token_requests(&self, count: u64) {
        // This fails only if the sender is gone, and `self` holds it.
        let _ = self.requests.subscribe().wait_for(|requests| *requests >= count).await;
    }

    /// The number of connections closed because of [`Fault::Unreachable`].
    pub fn rejected_connections(&self) -> u64 {
        self.rejected_connections.load(Ordering::Relaxed)
    }

    fn set_state(&self, client_id: Uuid, secret: &str, state: SecretState) {
        self.change(client_id, |registration| registration.secrets.insert(secret.to_owned(), state));
    }

    fn change<T>(&self, client_id: Uuid, change: impl FnOnce(&mut AppRegistration) -> T) {
        change(lock(&self.directory).applications.entry(client_id).or_default());
    }

    pub(super) fn has_tenant(&self, tenant: &str) -> bool {
        Uuid::try_parse(tenant) == Ok(self.tenant_id) || tenant.eq_ignore_ascii_case(&self.tenant_domain)
    }
}
