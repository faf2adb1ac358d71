//! Stored responses and fetches in flight, of all routes, within one memory budget.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use lru::LruCache;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::cached_response::CachedResponse;
use super::fetch::Fetch;
use super::key::Key;
use super::status::Bypass;
use super::terms::ClientDirectives;
use crate::proxy::cache::memory_budget::MemoryBudget;
use crate::proxy::environment::changes::{ChangeState, Stage};

/// The store. Clones share it.
#[derive(Debug, Clone)]
pub struct ResponseStore(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Memory of stored responses, of those that clients are still reading, and of those that are just arriving.
    budget: MemoryBudget,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Bounded by the memory budget.
    cached: LruCache<Arc<Key>, Entry>,
    in_flight: HashMap<Arc<Key>, InFlight>,
    /// Fetches started so far.
    fetches: u64,
    /// Whether a task removes expired entries.
    is_cleaning: bool,
}

#[derive(Debug)]
struct Entry {
    kind: EntryKind,
    until: Instant,
}

#[derive(Debug)]
enum EntryKind {
    Shared {
        cached: Arc<CachedResponse>,
        moment: ChangeState,
    },
    /// Responses to this request can't be shared: no request waits for another one's.
    Unshared {
        _permit: OwnedSemaphorePermit,
    },
}

#[derive(Debug)]
struct InFlight {
    fetch: Weak<Fetch>,
    number: u64,
    moment: ChangeState,
}

/// Where a request gets its response from.
#[derive(Debug)]
pub enum Lookup {
    Hit {
        cached: Arc<CachedResponse>,
        ttl: Duration,
    },
    /// `is_own`: it was started for this request, and others may join.
    Fetch {
        fetch: Arc<Fetch>,
        is_own: bool,
    },
    Bypass(Bypass),
}

/// A fetch's entry among those that others can join. Dropping it removes the entry.
#[derive(Debug)]
pub struct FetchTicket {
    pub store: ResponseStore,
    pub key: Arc<Key>,
    number: u64,
    /// The state of the environment's changes when the fetch began.
    pub moment: ChangeState,
}

impl Default for ResponseStore {
    fn default() -> Self {
        Self::of_kib(BUDGET_KIB)
    }
}

impl ResponseStore {
    fn of_kib(kib: usize) -> Self {
        let state = State { cached: LruCache::unbounded(), in_flight: HashMap::new(), fetches: 0, is_cleaning: false };
        Self(Arc::new(Shared { budget: MemoryBudget::of_kib(kib), state: Mutex::new(state) }))
    }

    /// Finds a response or a fetch that is valid at this moment; otherwise `start` starts a fetch.
    pub fn find(
        &self,
        key: &Arc<Key>,
        moment: ChangeState,
        directives: &ClientDirectives,
        start: impl FnOnce(FetchTicket) -> Arc<Fetch>,
    ) -> Lookup {
        let now = Instant::now();
        let mut state = self.0.lock();
        if let Some(Entry { kind, until }) = state.cached.get(key).filter(|entry| entry.until > now) {
            match kind {
                EntryKind::Unshared { .. } => return Lookup::Bypass(Bypass::Response),
                EntryKind::Shared { cached, moment: then }
                    if *then == moment && directives.accept_age(cached.age(now)) =>
                {
                    return Lookup::Hit { cached: cached.clone(), ttl: *until - now };
                }
                EntryKind::Shared { .. } => {}
            }
        }
        // This client may have seen the write's response already; the clients of an earlier fetch had not.
        match moment.stage {
            Stage::Quiet | Stage::InFlight => {}
            Stage::Responding => return Lookup::Bypass(Bypass::Change),
            Stage::Unknown => return Lookup::Bypass(Bypass::SharedStore),
        }
        let known = state
            .in_flight
            .get(key)
            .filter(|in_flight| in_flight.moment == moment && !directives.require_revalidation());
        if let Some(fetch) = known.and_then(|in_flight| in_flight.fetch.upgrade()) {
            return Lookup::Fetch { fetch, is_own: false };
        }
        state.fetches += 1;
        let number = state.fetches;
        let fetch = start(FetchTicket { store: self.clone(), key: key.clone(), number, moment });
        state.in_flight.insert(key.clone(), InFlight { fetch: Arc::downgrade(&fetch), number, moment });
        Lookup::Fetch { fetch, is_own: true }
    }

    /// Memory for that many bytes. The least recently used entries are evicted for it; `None` when that is not enough.
    pub fn budget(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        loop {
            if let Some(budget) = self.0.budget.take(bytes as u64) {
                return Some(budget);
            }
            self.0.lock().cached.pop_lru()?;
        }
    }

    fn keep(&self, key: Arc<Key>, entry: Entry) {
        let mut state = self.0.lock();
        state.cached.put(key, entry);
        if !std::mem::replace(&mut state.is_cleaning, true) {
            tokio::spawn(remove_expired(Arc::downgrade(&self.0)));
        }
    }
}

impl State {
    /// Whether the fetch of this number is the one that others join for this key.
    fn is_latest(&self, key: &Key, number: u64) -> bool {
        self.in_flight.get(key).is_some_and(|in_flight| in_flight.number == number)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes expired entries until the store is empty.
async fn remove_expired(shared: Weak<Shared>) {
    loop {
        tokio::time::sleep(CLEANUP_INTERVAL).await;
        let Some(shared) = shared.upgrade() else { return };
        let now = Instant::now();
        let mut state = shared.lock();
        let old: Vec<_> =
            state.cached.iter().filter(|(_, entry)| entry.until <= now).map(|(key, _)| key.clone()).collect();
        for key in old {
            state.cached.pop(&key);
        }
        if state.cached.is_empty() {
            // Under the lock: whoever stores the next entry starts a new task.
            state.is_cleaning = false;
            return;
        }
    }
}

impl FetchTicket {
    /// Stores the response for a time, unless another fetch for the same key was started since. Whether it is stored.
    pub fn keep(&self, cached: &Arc<CachedResponse>, time: Duration) -> bool {
        let is_latest = self.is_joinable();
        if is_latest {
            let kind = EntryKind::Shared { cached: cached.clone(), moment: self.moment };
            self.store.keep(self.key.clone(), Entry { kind, until: Instant::now() + time });
        }
        is_latest
    }

    /// Remembers that responses to this request can't be shared.
    pub fn remember_unshared(&self) {
        if let Some(budget) = self.store.budget(self.key.size()).filter(|_| self.is_joinable()) {
            let entry = Entry { kind: EntryKind::Unshared { _permit: budget }, until: Instant::now() + UNSHARED_TTL };
            self.store.keep(self.key.clone(), entry);
        }
    }

    fn is_joinable(&self) -> bool {
        self.store.0.lock().is_latest(&self.key, self.number)
    }
}

impl Drop for FetchTicket {
    fn drop(&mut self) {
        let mut state = self.store.0.lock();
        if state.is_latest(&self.key, self.number) {
            state.in_flight.remove(&self.key);
        }
    }
}

/// Memory of the whole store, in KiB.
const BUDGET_KIB: usize = 64 * 1024;

/// How long it is remembered that a response can't be shared.
const UNSHARED_TTL: Duration = Duration::from_secs(60);

/// Interval at which expired entries are removed.
const CLEANUP_INTERVAL: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use hyper::{HeaderMap, Response, Uri};

    use super::*;
    use crate::proxy::cache::fetch::FetchOutcome;
    use crate::proxy::environment::application_pool::Senders;
    use crate::proxy::environment::changes::Changes;
    use crate::proxy::rejection::Kind;
    use crate::proxy::rejection::Rejection;

    const MINUTE: Duration = Duration::from_secs(60);

    fn key(number: u64) -> Arc<Key> {
        Arc::new(Key::new(number, Senders::Shared, &Uri::from_static("/a"), &HeaderMap::new()))
    }

    fn moment() -> ChangeState {
        Changes::default().moment(None).now_or_never().unwrap()
    }

    fn directives() -> ClientDirectives {
        ClientDirectives::take_from(&mut HeaderMap::new())
    }

    /// Fetches something and stores a response of that many KiB, if there is memory for it.
    fn keep(store: &ResponseStore, number: u64, kib: usize) -> Option<Arc<CachedResponse>> {
        let budget = store.budget(kib * 1024)?;
        let cached = Arc::new(CachedResponse::new(Response::new(()).into_parts().0, vec![0; 10], budget));
        let found = store.find(&key(number), moment(), &directives(), |ticket| {
            assert!(ticket.store.0.state.try_lock().is_err(), "no other request starts the same fetch meanwhile");
            let cached = cached.clone();
            Fetch::start(async move {
                ticket.keep(&cached, MINUTE);
                FetchOutcome::Rejected(Rejection::new(Kind::Internal, "not looked at"))
            })
        });
        let Lookup::Fetch { fetch, is_own: true } = found else { panic!("{found:?}") };
        fetch.outcome().now_or_never();
        std::mem::forget(fetch);
        Some(cached)
    }

    fn has(store: &ResponseStore, number: u64) -> bool {
        store.0.lock().cached.contains(&key(number))
    }

    #[tokio::test]
    async fn the_least_recently_used_response_is_evicted_first() {
        let store = ResponseStore::of_kib(4);
        keep(&store, 1, 2);
        keep(&store, 2, 2);
        tokio::task::yield_now().await;
        assert!(has(&store, 1) && has(&store, 2));
        let found = store.find(&key(1), moment(), &directives(), |_| unreachable!("it is stored"));
        assert!(matches!(found, Lookup::Hit { .. }));
        drop(found);
        keep(&store, 3, 1);
        tokio::task::yield_now().await;
        assert_eq!([1, 2, 3].map(|number| has(&store, number)), [true, false, true]);
    }

    #[tokio::test]
    async fn a_response_that_is_still_read_keeps_its_share_of_the_budget() {
        let store = ResponseStore::of_kib(4);
        let read = keep(&store, 1, 3).map(|cached| cached.response());
        tokio::task::yield_now().await;
        assert!(store.budget(2 * 1024).is_none());
        assert!(!has(&store, 1), "it was given up for room that is not free yet");
        drop(read);
        assert!(store.budget(4 * 1024).is_some());
        assert!(store.budget(5 * 1024).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn expired_responses_are_removed() {
        let store = ResponseStore::of_kib(4);
        keep(&store, 1, 4);
        tokio::task::yield_now().await;
        assert!(store.0.budget.take(1).is_none());
        tokio::time::sleep(MINUTE + CLEANUP_INTERVAL).await;
        assert!(!has(&store, 1) && store.0.budget.take(4 * 1024).is_some());
        assert!(!store.0.lock().is_cleaning);
    }
}
