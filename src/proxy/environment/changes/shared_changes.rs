//! The writes of all replicas, through the shared store.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior};

use super::extent::Extent;
use super::journal::{Journal, Next};
use super::message::{Call, EnvironmentId, Obstacle, Read, Reply, ScopeId};
use super::tally::{ChangeState, Stage};
use crate::business_central::CompanyId;
use crate::shared_store::{CHANGES, SharedStore, StoreError, StoreKey, digest};

/// The changes in all environments, as replicas share them. Clones are the same.
#[derive(Debug, Clone)]
pub struct SharedChanges(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: SharedStore,
    key: StoreKey,
    journal: Mutex<Journal>,
    /// The store has to be told something.
    due: Arc<Notify>,
    /// The store was told something, or can't be.
    told: Notify,
    /// Held while the store is told, so that a last call is the last.
    telling: tokio::sync::Mutex<IsLeaving>,
    hasher: RandomState,
}

/// Whether this replica makes no more changes.
type IsLeaving = bool;

/// The changes in one environment, as replicas share them.
#[derive(Debug)]
pub struct SharedEnvironment {
    changes: SharedChanges,
    id: EnvironmentId,
    anything: ScopeId,
    all: ScopeId,
}

impl SharedChanges {
    /// Registers this replica, and keeps it registered until it leaves or is dropped.
    pub fn start(store: SharedStore) -> Self {
        let due = Arc::new(Notify::new());
        let inner = Arc::new(Inner {
            key: store.key(&["changes"]),
            journal: Mutex::new(Journal::new(store.replica())),
            due: due.clone(),
            told: Notify::new(),
            telling: tokio::sync::Mutex::new(false),
            hasher: RandomState::new(),
            store,
        });
        tokio::spawn(stay_registered(Arc::downgrade(&inner), due));
        Self(inner)
    }

    /// The changes in the environment that these parts name.
    pub fn environment(&self, parts: &[&str]) -> SharedEnvironment {
        let id = digest(parts);
        SharedEnvironment {
            changes: self.clone(),
            anything: digest(&[&id, "anything"]),
            all: digest(&[&id, "all"]),
            id,
        }
    }

    /// Tells the other replicas that this one makes no more changes.
    pub async fn leave(&self) {
        let mut is_leaving = self.0.telling.lock().await;
        *is_leaving = true;
        let call = self.0.lock().leave(self.0.store.outages());
        if let Some(call) = call {
            // Without a reply, the others take this replica for missing.
            let _ = self.0.call(&call).await;
        }
    }
}

impl Inner {
    /// Tells the store what it has not been told.
    async fn tell(&self) {
        let is_leaving = self.telling.lock().await;
        for _ in 0..MAX_CALLS {
            let outages = self.store.outages();
            if *is_leaving || !self.store.is_up() {
                break;
            }
            let (call, told) = self.lock().call(Instant::now(), outages);
            let reply = self.call(&call).await;
            let next = match reply {
                Ok(reply) => self.lock().replied(told, reply, Instant::now()),
                Err(_) => {
                    self.lock().failed(told);
                    Next::Done
                }
            };
            self.told.notify_waiters();
            if next == Next::Done {
                break;
            }
        }
        // Whoever waits has to look whether the store is up.
        self.told.notify_waiters();
    }

    /// Registers one change.
    async fn register(&self, number: u64) {
        if !self.store.is_up() {
            return;
        }
        let Some((call, told)) = self.lock().registration(number, Instant::now()) else { return };
        match self.call(&call).await {
            Ok(reply) => self.lock().registered(&told, &reply, Instant::now()),
            Err(_) => self.lock().failed(told),
        }
    }

    async fn call(&self, call: &Call) -> Result<Reply, StoreError> {
        self.store.call(&CHANGES, &self.key, call).await
    }

    fn lock(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the store at once what it has to know, and renews the promise.
async fn stay_registered(inner: Weak<Inner>, due: Arc<Notify>) {
    let mut renewal = tokio::time::interval(INTERVAL);
    renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = renewal.tick() => {}
            () = due.notified() => {}
        }
        let Some(inner) = inner.upgrade() else { return };
        inner.tell().await;
    }
}

impl SharedEnvironment {
    /// Its changes are registered from now on, for one part of the configuration more; or for one less.
    pub fn set_tracked(&self, is_tracked: bool) {
        self.changes.0.lock().set_tracked(&self.id, is_tracked);
        self.changes.0.due.notify_one();
    }

    /// Begins a change; its number.
    pub fn begin(&self, extent: &Extent) -> u64 {
        let scopes = match extent {
            Extent::Nothing => Vec::new(),
            Extent::Anything => vec![self.anything.clone(), self.all.clone()],
            Extent::Companies(companies) => {
                companies.iter().map(|company| self.company(*company)).chain([self.all.clone()]).collect()
            }
        };
        self.changes.0.lock().begin(&self.id, scopes, Instant::now())
    }

    /// Completes when a change may be sent: when the other replicas know it, or do not use their caches.
    pub async fn permitted(&self, number: u64) {
        let inner = &*self.changes.0;
        inner.register(number).await;
        let mut is_first = true;
        loop {
            let mut told = std::pin::pin!(inner.told.notified());
            told.as_mut().enable();
            let permit = inner.lock().permit(number, Instant::now(), inner.store.is_up());
            let Err(until) = permit else { return };
            if std::mem::take(&mut is_first) {
                inner.due.notify_one();
            }
            tokio::select! {
                () = told => {}
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }

    /// Ends a change.
    pub fn end(&self, number: u64, is_known: bool) {
        if self.changes.0.lock().end(number, is_known, Instant::now()) {
            self.changes.0.due.notify_one();
        }
    }

    /// The state for a read in this company; `None`: a read in any company, or in none. `own`: that of this replica.
    pub async fn moment(&self, company: Option<CompanyId>, own: ChangeState) -> ChangeState {
        if own.stage >= Stage::Responding {
            return own;
        }
        match self.read(company).await {
            Ok(shared) => ChangeState { shared, ..own },
            Err(stage) => ChangeState { stage, ..own },
        }
    }

    /// What stands for the changes of all replicas. `Err`: why a response can't come from the cache.
    async fn read(&self, company: Option<CompanyId>) -> Result<u64, Stage> {
        let inner = &*self.changes.0;
        let outages = inner.store.outages();
        let run = inner.lock().run(outages).map(str::to_owned).ok_or(Stage::Unknown)?;
        let scopes = match company {
            Some(company) => vec![self.company(company), self.anything.clone()],
            None => vec![self.all.clone()],
        };
        let call = Call { read: Some(Read { environment: self.id.clone(), scopes, run }), ..Call::default() };
        let reply = inner.call(&call).await.map_err(|_| Stage::Unknown)?;
        match reply.obstacle {
            Some(Obstacle::Change) => Err(Stage::Responding),
            Some(Obstacle::New | Obstacle::Replica) => Err(Stage::Unknown),
            None if inner.store.outages() != outages => Err(Stage::Unknown),
            // Epochs may be older than an outage, if the store restarted with old data.
            None => Ok(inner.hasher.hash_one((outages, reply.epochs))),
        }
    }

    fn company(&self, company: CompanyId) -> ScopeId {
        digest(&[&self.id, "company", &company.to_string()])
    }
}

/// The time between two renewals of the promise, a third of its life.
const INTERVAL: Duration = Duration::from_secs(1);

/// Calls in a row: one to learn the store's time, one to register, and again if the store lost its data meanwhile.
const MAX_CALLS: usize = 4;
