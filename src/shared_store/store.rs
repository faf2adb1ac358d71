//! The shared store as the rest of bcproxy uses it.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use serde::Serialize;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use super::error::StoreError;
use super::heartbeat::send_heartbeats;
use super::key::{StoreKey, digest};
use super::script::{LEAVE, Script};
use super::status::StoreStatus;
use super::wake_up::{WakeUp, WakeUps};
use crate::config::SharedLimits;
use crate::guide::Event;
use crate::tls::{self, TlsError};

/// The shared store. Clones share its connection.
#[derive(Debug, Clone)]
pub struct SharedStore(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub settings: SharedLimits,
    pub tls: Arc<rustls::ClientConfig>,
    /// This replica, as others see it.
    pub replica: String,
    /// Whether heartbeats have ended.
    pub is_leaving: AtomicBool,
    /// Whether the log says that the store is away.
    is_told_away: AtomicBool,
    pub connection: Mutex<Option<MultiplexedConnection>>,
    /// A permit for each call under way. Heartbeats need none.
    permits: Semaphore,
    pub health: watch::Sender<Health>,
    /// Replicas that were seen in the last heartbeat, and those that are missing.
    pub replicas: AtomicUsize,
    pub missing: AtomicUsize,
    /// How often the store was empty where it had data before.
    pub losses: AtomicU64,
    pub wake_ups: WakeUps,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    calls: AtomicU64,
    failures: AtomicU64,
    outages: AtomicU64,
    /// Of the latest call, in microseconds.
    round_trip: AtomicU64,
}

/// Whether the store is up.
#[derive(Debug, Clone)]
pub(super) struct Health {
    pub is_up: bool,
    since: OffsetDateTime,
    error: Option<String>,
}

impl SharedStore {
    /// Connects. Waits a moment for the first contact; without it, goes on and keeps trying.
    pub async fn start(settings: &SharedLimits) -> Result<Self, TlsError> {
        let tls = tls::client_config(settings.ca_file.as_deref())?;
        let health = Health { is_up: false, since: OffsetDateTime::now_utc(), error: None };
        let store = Self(Arc::new(Inner {
            settings: settings.clone(),
            tls: Arc::new(tls),
            replica: format!("{:016x}", uuid::Uuid::new_v4().as_u64_pair().0),
            is_leaving: AtomicBool::new(false),
            is_told_away: AtomicBool::new(false),
            connection: Mutex::default(),
            permits: Semaphore::new(MAX_CALLS),
            health: watch::Sender::new(health),
            replicas: AtomicUsize::new(ASSUMED_REPLICAS),
            missing: AtomicUsize::new(0),
            losses: AtomicU64::new(0),
            wake_ups: WakeUps::default(),
            counts: Counts::default(),
        }));
        let mut health = store.0.health.subscribe();
        tokio::spawn(send_heartbeats(Arc::downgrade(&store.0)));
        let first_contact = health.wait_for(|health| health.is_up);
        if tokio::time::timeout(FIRST_CONTACT, first_contact).await.is_err() {
            store.0.is_told_away.store(true, Ordering::Relaxed);
            let error = store.status().error.unwrap_or_else(|| "no response".to_owned());
            tracing::warn!(
                event_id = Event::SharedStoreAway.id(),
                "the shared store {} can't be reached: {error}. Until it can, this replica uses its share of the limits",
                store.0.settings.url
            );
        }
        Ok(store)
    }

    /// How it is reached.
    pub fn settings(&self) -> &SharedLimits {
        &self.0.settings
    }

    /// Whether it is up. While it is not, calls fail at once.
    pub fn is_up(&self) -> bool {
        self.0.is_up()
    }

    /// Completes when the store goes up or down after this call.
    pub fn health_changed(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut health = self.0.health.subscribe();
        async move {
            // Without the store, nobody waits for it.
            let _ = health.changed().await;
        }
    }

    /// Replicas that share the limits, with this one. As last seen.
    pub fn replicas(&self) -> usize {
        self.0.replicas.load(Ordering::Relaxed)
    }

    /// This replica, as others see it.
    pub fn replica(&self) -> &str {
        &self.0.replica
    }

    /// How often contact was lost: what was known before may have changed unseen.
    pub fn outages(&self) -> u64 {
        self.0.counts.outages.load(Ordering::Acquire)
    }

    /// How often its data were lost: it was flushed, or restarted empty. Wakes what [`on_message`](Self::on_message)
    /// names.
    pub fn losses(&self) -> u64 {
        self.0.losses.load(Ordering::Acquire)
    }

    /// What is known of it.
    pub fn status(&self) -> StoreStatus {
        let Health { is_up, since, error } = self.0.health.borrow().clone();
        let counts = &self.0.counts;
        StoreStatus {
            address: self.0.settings.url.to_string(),
            is_up,
            since,
            error,
            replicas: self.replicas(),
            missing: self.0.missing.load(Ordering::Relaxed),
            outages: counts.outages.load(Ordering::Relaxed),
            calls: counts.calls.load(Ordering::Relaxed),
            failures: counts.failures.load(Ordering::Relaxed),
            round_trip: Duration::from_micros(counts.round_trip.load(Ordering::Relaxed)),
        }
    }

    /// The key of what these parts name. They are hashed: no names enter the store.
    pub fn key(&self, parts: &[&str]) -> StoreKey {
        StoreKey::new(&self.0.settings.prefix, &digest(parts))
    }

    /// Messages with this key wake that task, as long as it exists.
    pub fn on_message(&self, key: &StoreKey, wake_up: &Arc<WakeUp>) {
        self.0.wake_ups.add(key.as_str(), wake_up);
    }

    /// Runs a script. Without a reply within the configured time, the store is down.
    pub async fn call<T: DeserializeOwned>(
        &self,
        script: &Script,
        key: &StoreKey,
        argument: &impl Serialize,
    ) -> Result<T, StoreError> {
        // The semaphore is never closed.
        let _permit = self.0.permits.acquire().await.ok();
        if !self.is_up() {
            return Err(StoreError::Down);
        }
        self.0.call(script, key, argument).await.inspect_err(|error| self.0.fail(&error.to_string()))
    }

    /// Tells the other replicas that this one stops.
    pub async fn leave(&self) {
        // A later heartbeat would announce it again.
        self.0.is_leaving.store(true, Ordering::Release);
        let leave = Leave { replica: &self.0.replica };
        // Without the store, the others notice when the heartbeats end.
        let _ = self.call::<serde_json::Value>(&LEAVE, &self.0.replicas_key(), &leave).await;
    }
}

#[derive(Serialize)]
struct Leave<'r> {
    replica: &'r str,
}

impl Inner {
    pub(super) fn replicas_key(&self) -> StoreKey {
        StoreKey::new(&self.settings.prefix, "replicas")
    }

    pub(super) fn is_up(&self) -> bool {
        self.health.borrow().is_up
    }

    /// The channel of messages to this replica.
    pub(super) fn channel(&self) -> String {
        format!("{}:wake:{}", self.settings.prefix, self.replica)
    }

    /// Runs a script, whether the store is up or not.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        script: &Script,
        key: &StoreKey,
        argument: &impl Serialize,
    ) -> Result<T, StoreError> {
        let connection = self.lock_connection().clone();
        let mut connection = connection.ok_or(StoreError::Down)?;
        let argument = serde_json::to_string(argument)?;
        let (began, limit) = (Instant::now(), self.settings.timeout);
        self.counts.calls.fetch_add(1, Ordering::Relaxed);
        let mut invocation = script.key(key.as_str());
        let reply = invocation.arg(argument).invoke_async::<String>(&mut connection);
        let reply = tokio::time::timeout(limit, reply).await.map_err(|_| StoreError::TimedOut(limit))??;
        let took = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.counts.round_trip.store(took, Ordering::Relaxed);
        Ok(serde_json::from_str(&reply)?)
    }

    /// The store is up: calls are sent.
    pub(super) fn succeed(&self) {
        let was_down = self.health.send_if_modified(|health| {
            let was_down = !health.is_up;
            if was_down {
                *health = Health { is_up: true, since: OffsetDateTime::now_utc(), error: None };
            }
            was_down
        });
        if was_down && self.is_told_away.swap(false, Ordering::Relaxed) {
            tracing::info!(
                event_id = Event::SharedStoreBack.id(),
                "the shared store {} is back; the limits are shared again",
                self.settings.url
            );
        }
    }

    /// A call got no reply: the store is down until it proves to be up.
    pub(super) fn fail(&self, error: &str) {
        self.counts.failures.fetch_add(1, Ordering::Relaxed);
        let was_up = self.health.send_if_modified(|health| {
            let was_up = std::mem::replace(&mut health.is_up, false);
            if was_up {
                self.counts.outages.fetch_add(1, Ordering::Release);
                health.since = OffsetDateTime::now_utc();
            }
            health.error = Some(error.to_owned());
            was_up
        });
        if was_up {
            self.is_told_away.store(true, Ordering::Relaxed);
            tracing::warn!(
                event_id = Event::SharedStoreAway.id(),
                "the shared store {} is slow or away: {error}. Until it is back, this replica uses its share of the \
                 limits: one of {}",
                self.settings.url,
                self.replicas.load(Ordering::Relaxed)
            );
        }
    }

    pub(super) fn lock_connection(&self) -> MutexGuard<'_, Option<MultiplexedConnection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Calls under way. When the store is back, all limiters call at once; the last of them would wait for its reply longer
/// than the store may take.
const MAX_CALLS: usize = 32;

/// How long the start waits for the first contact.
const FIRST_CONTACT: Duration = Duration::from_secs(2);

/// Before the store was ever reached. Whoever shares limits has at least two.
const ASSUMED_REPLICAS: usize = 2;

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::join_all;

    use super::super::test_server::TestServer;
    use super::*;

    #[tokio::test]
    #[ignore = "needs redis-server"]
    async fn of_many_calls_at_once_few_are_under_way() {
        let server = TestServer::start();
        let store = server.replica().await;
        let (key, leave) = (store.0.replicas_key(), Leave { replica: "another" });
        let before = store.status().calls;
        let calls = (0..10 * MAX_CALLS).map(|_| store.call::<serde_json::Value>(&LEAVE, &key, &leave));
        let mut calls = Box::pin(join_all(calls));
        assert!(calls.as_mut().now_or_never().is_none());
        assert_eq!(store.status().calls - before, MAX_CALLS as u64);
        assert!(calls.await.iter().all(Result::is_ok));
    }
}
