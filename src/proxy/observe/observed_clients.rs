//! The clients that send requests, with or without an entry in `clients`: their load, and when each was last seen.
//!
//! A client is told apart by address, `User-Agent` and identity, all of which clients choose in part. So the table is
//! bounded: 1,000 clients, and 50 of one address, whose further ones count as one. The client that was silent for the
//! longest is forgotten first.

use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use foldhash::HashMap;
use foldhash::fast::RandomState;
use hyper::header::HeaderValue;
use time::OffsetDateTime;
use tokio::time::Instant;

/// The table of clients.
#[derive(Debug)]
pub struct ObservedClients {
    table: Mutex<Table>,
    started: Instant,
    hasher: RandomState,
}

/// What tells clients apart.
#[derive(Debug, Clone, Copy)]
pub struct ClientMarks<'m> {
    pub address: IpAddr,
    pub user_agent: Option<&'m HeaderValue>,
    /// Who it has proven to be.
    pub identity: Option<&'m str>,
}

/// A request of a client, as the table counts it.
#[derive(Debug, Clone, Copy)]
pub struct Counted<'r> {
    /// The client's entry of `clients`.
    pub name: Option<&'r str>,
    /// The credentials it offered.
    pub credentials: &'static str,
    /// Its HTTP version.
    pub http: &'static str,
    /// Whether it had a status of 400 or more, or none.
    pub is_error: bool,
    /// Its time in the limiter's queue.
    pub queue: Duration,
    /// When its response ended.
    pub ended: Instant,
}

/// What is known of a client.
#[derive(Debug, Clone)]
pub struct ObservedClient {
    /// Its IP address, or the one that a load balancer names.
    pub address: IpAddr,
    /// `None`: it sends none, or this is all that is left of an address with too many.
    pub user_agent: Option<String>,
    /// Who it has proven to be.
    pub identity: Option<String>,
    /// Its entry of `clients`.
    pub name: Option<String>,
    /// The credentials that its latest request offered.
    pub credentials: &'static str,
    /// The HTTP version of its latest request.
    pub http: &'static str,
    /// Since the start.
    pub requests: u64,
    /// Those that had a status of 400 or more, or none.
    pub errors: u64,
    /// Requests of the last five minutes.
    pub recent_requests: u64,
    /// The time that these spent in the queue, all together.
    pub recent_queue: Duration,
    /// Requests in the queue now.
    pub queued: usize,
    /// When its latest request ended.
    pub last_seen: OffsetDateTime,
}

/// Counts a request as queued until it is dropped.
#[derive(Debug)]
pub struct QueuedGuard(Arc<AtomicUsize>);

#[derive(Debug, Default)]
struct Table {
    /// By a hash of what tells them apart. Clients whose hashes collide count as one.
    clients: HashMap<u64, Entry>,
    /// How many clients of the table each address has.
    of_address: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Entry {
    client: ObservedClient,
    /// When its latest request ended or was queued, since the start.
    last_seen: Duration,
    queued: Arc<AtomicUsize>,
    recent: Recent,
}

/// What was counted in each of the last minutes.
#[derive(Debug, Default)]
struct Recent {
    /// The minute that the first of `minutes` is for, since the start.
    minute: u64,
    /// The latest first.
    minutes: [(u32, Duration); MINUTES],
}

impl Default for ObservedClients {
    fn default() -> Self {
        Self { table: Mutex::default(), started: Instant::now(), hasher: RandomState::default() }
    }
}

impl ObservedClients {
    /// Counts a request that has ended.
    pub(in crate::proxy) fn count(&self, marks: ClientMarks<'_>, counted: Counted<'_>) {
        let (key, now) = (self.key(marks), counted.ended.saturating_duration_since(self.started));
        self.lock().update(
            key,
            marks,
            now,
            || self.key(marks.alone()),
            |entry| {
                let client = &mut entry.client;
                client.requests += 1;
                client.errors += u64::from(counted.is_error);
                (client.credentials, client.http) = (counted.credentials, counted.http);
                if client.name.as_deref() != counted.name {
                    client.name = counted.name.map(str::to_owned);
                }
                entry.recent.add(minute(now), counted.queue);
            },
        );
    }

    /// Counts a request as queued until the guard is dropped.
    pub(in crate::proxy) fn queued(&self, marks: ClientMarks<'_>) -> QueuedGuard {
        let (key, now) = (self.key(marks), self.started.elapsed());
        let queued = self.lock().update(key, marks, now, || self.key(marks.alone()), |entry| entry.queued.clone());
        queued.fetch_add(1, Ordering::Relaxed);
        QueuedGuard(queued)
    }

    /// All clients, in no order.
    pub fn clients(&self) -> Vec<ObservedClient> {
        let (elapsed, now) = (self.started.elapsed(), OffsetDateTime::now_utc());
        let client = |entry: &Entry| {
            let (recent_requests, recent_queue) = entry.recent.sum(minute(elapsed));
            let queued = entry.queued.load(Ordering::Relaxed);
            let last_seen = now - elapsed.saturating_sub(entry.last_seen);
            ObservedClient { recent_requests, recent_queue, queued, last_seen, ..entry.client.clone() }
        };
        self.lock().clients.values().map(client).collect()
    }

    fn key(&self, ClientMarks { address, user_agent, identity }: ClientMarks<'_>) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        match address {
            IpAddr::V4(address) => hasher.write_u32(address.to_bits()),
            IpAddr::V6(address) => hasher.write_u128(address.to_bits()),
        }
        hasher.write(user_agent.map_or(&[][..], HeaderValue::as_bytes));
        if let Some(identity) = identity {
            hasher.write(identity.as_bytes());
        }
        hasher.finish()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientMarks<'_> {
    /// All further clients of the address, when it has too many.
    fn alone(self) -> Self {
        Self { user_agent: None, identity: None, ..self }
    }
}

fn minute(since_start: Duration) -> u64 {
    since_start.as_secs() / 60
}

impl Table {
    /// Changes the entry of a client: its own, or the one for all further clients of its address, whose key is
    /// `alone`.
    fn update<T>(
        &mut self,
        key: u64,
        marks: ClientMarks<'_>,
        now: Duration,
        alone: impl FnOnce() -> u64,
        change: impl FnOnce(&mut Entry) -> T,
    ) -> T {
        if let Some(entry) = self.clients.get_mut(&key) {
            entry.last_seen = now;
            return change(entry);
        }
        let is_full = self.of_address.get(&marks.address).is_some_and(|count| *count >= MAX_OF_ADDRESS);
        let (key, marks) = if is_full { (alone(), marks.alone()) } else { (key, marks) };
        if !self.clients.contains_key(&key) {
            self.evict_if_full();
            *self.of_address.entry(marks.address).or_default() += 1;
        }
        let entry = self.clients.entry(key).or_insert_with(|| Entry::new(marks));
        entry.last_seen = now;
        change(entry)
    }

    /// Forgets the client that was silent for the longest, if there is no room for one more.
    fn evict_if_full(&mut self) {
        if self.clients.len() < MAX_CLIENTS {
            return;
        }
        let silent = self.clients.iter().min_by_key(|(_, entry)| entry.last_seen).map(|(key, _)| *key);
        let Some(Entry { client, .. }) = silent.and_then(|key| self.clients.remove(&key)) else { return };
        if let Some(count) = self.of_address.get_mut(&client.address) {
            *count -= 1;
            if *count == 0 {
                self.of_address.remove(&client.address);
            }
        }
    }
}

impl Entry {
    fn new(ClientMarks { address, user_agent, identity }: ClientMarks<'_>) -> Self {
        let shown = |text: &str| text.chars().take(MAX_CHARACTERS).collect();
        let client = ObservedClient {
            address,
            user_agent: user_agent.map(|value| shown(&String::from_utf8_lossy(value.as_bytes()))),
            identity: identity.map(shown),
            name: None,
            credentials: "none",
            http: "1.1",
            requests: 0,
            errors: 0,
            recent_requests: 0,
            recent_queue: Duration::ZERO,
            queued: 0,
            last_seen: OffsetDateTime::UNIX_EPOCH,
        };
        Self { client, last_seen: Duration::ZERO, queued: Arc::default(), recent: Recent::default() }
    }
}

impl Recent {
    fn add(&mut self, minute: u64, queue: Duration) {
        let passed = usize::try_from(minute.saturating_sub(self.minute)).unwrap_or(MINUTES).min(MINUTES);
        if passed > 0 {
            self.minutes.rotate_right(passed % MINUTES);
            self.minutes.iter_mut().take(passed).for_each(|minute| *minute = (0, Duration::ZERO));
            self.minute = minute;
        }
        let [(requests, queued), ..] = &mut self.minutes;
        *requests = requests.saturating_add(1);
        *queued += queue;
    }

    fn sum(&self, minute: u64) -> (u64, Duration) {
        let passed = usize::try_from(minute.saturating_sub(self.minute)).unwrap_or(MINUTES);
        let recent = self.minutes.iter().take(MINUTES.saturating_sub(passed));
        recent.fold((0, Duration::ZERO), |(requests, queue), minute| (requests + u64::from(minute.0), queue + minute.1))
    }
}

impl Drop for QueuedGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// More than any site has; half a mebibyte.
const MAX_CLIENTS: usize = 1_000;

/// The programs of a terminal server, or of machines behind a router.
const MAX_OF_ADDRESS: usize = 50;

const MAX_CHARACTERS: usize = 120;

/// The minutes that count as recent: the current one, and the four before it.
const MINUTES: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn count(clients: &ObservedClients, address: [u8; 4], user_agent: &str) {
        let user_agent = HeaderValue::from_str(user_agent).unwrap();
        let marks = ClientMarks { address: address.into(), user_agent: Some(&user_agent), identity: None };
        let queue = Duration::from_secs(2);
        let ended = Instant::now();
        clients.count(marks, Counted { name: None, credentials: "ntlm", http: "1.0", is_error: false, queue, ended });
    }

    #[tokio::test(start_paused = true)]
    async fn recent_requests_are_those_of_the_last_five_minutes() {
        let clients = ObservedClients::default();
        let recent = || clients.clients().iter().map(|one| (one.requests, one.recent_requests)).collect::<Vec<_>>();
        count(&clients, [192, 0, 2, 1], "till");
        tokio::time::advance(Duration::from_secs(61)).await;
        count(&clients, [192, 0, 2, 1], "till");
        assert_eq!(recent(), [(2, 2)]);
        assert_eq!(clients.clients()[0].recent_queue, Duration::from_secs(4));
        tokio::time::advance(Duration::from_secs(4 * 60)).await;
        assert_eq!(recent(), [(2, 1)]);
        count(&clients, [192, 0, 2, 1], "till");
        assert_eq!(recent(), [(3, 2)]);
        tokio::time::advance(Duration::from_secs(30 * 60)).await;
        assert_eq!(recent(), [(3, 0)]);
        count(&clients, [192, 0, 2, 1], "till");
        assert_eq!(recent(), [(4, 1)]);
    }

    #[tokio::test(start_paused = true)]
    async fn one_address_fills_no_more_than_its_share_of_the_table() {
        let clients = ObservedClients::default();
        count(&clients, [192, 0, 2, 1], "till");
        for number in 0..5_000 {
            count(&clients, [192, 0, 2, 2], &format!("scanner {number}"));
        }
        let all = clients.clients();
        assert_eq!(all.len(), 1 + MAX_OF_ADDRESS + 1);
        let others = all.iter().find(|client| client.user_agent.is_none()).unwrap();
        assert_eq!(others.requests, 5_000 - MAX_OF_ADDRESS as u64);
    }

    #[tokio::test(start_paused = true)]
    async fn the_table_forgets_the_client_that_was_silent_for_the_longest() {
        let clients = ObservedClients::default();
        count(&clients, [10, 9, 9, 9], "silent");
        count(&clients, [10, 9, 9, 8], "busy");
        for number in 0..3_000_u16 {
            let [high, low] = number.to_be_bytes();
            tokio::time::advance(Duration::from_millis(1)).await;
            count(&clients, [10, 0, high, low], "x");
            count(&clients, [10, 9, 9, 8], "busy");
        }
        let all = clients.clients();
        let has = |last| all.iter().any(|client| client.address == IpAddr::from([10, 9, 9, last]));
        assert_eq!((all.len(), has(8), has(9)), (MAX_CLIENTS, true, false));
        assert_eq!(clients.lock().of_address.len(), MAX_CLIENTS);
    }

    #[tokio::test(start_paused = true)]
    async fn a_queued_request_is_counted_until_it_leaves_the_queue() {
        let clients = ObservedClients::default();
        let marks = ClientMarks { address: [192, 0, 2, 1].into(), user_agent: None, identity: Some("anna") };
        let guard = clients.queued(marks);
        let queued = || clients.clients()[0].queued;
        assert_eq!(queued(), 1);
        drop(guard);
        assert_eq!(queued(), 0);
    }
}
