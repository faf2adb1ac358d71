//! A queue that is fair between clients: one with many requests waiting gets no more permits than one with a single
//! request.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;

/// What the queue is fair between: one program on one machine, as far as that can be told.
///
/// The address alone would make one client of all programs on this machine, or behind one router: a report would delay
/// a till. One client per connection would favor whoever opens the most. So the key is address, route and `User-Agent`.
/// Within a client, requests are served in order of arrival, which is fair to its connections, since each has one
/// request at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientKey {
    ip: IpAddr,
    /// A hash. Two programs whose hashes collide share one place in the rotation.
    fingerprint: u64,
}

/// Something that is queued and may leave before it is served.
pub trait Queued {
    /// Whether it still waits.
    fn is_waiting(&self) -> bool;
}

/// Waiting requests, by client.
#[derive(Debug)]
pub struct FairQueue<T> {
    /// Retries, which are served first.
    retries: VecDeque<T>,
    clients: HashMap<ClientKey, VecDeque<T>>,
    /// Each client that waits, once.
    rotation: VecDeque<ClientKey>,
    /// All entries, with those that have left and were not removed yet.
    len: usize,
}

impl ClientKey {
    /// `fingerprint`: whatever tells programs at one address apart.
    pub fn new(ip: IpAddr, fingerprint: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        fingerprint.hash(&mut hasher);
        Self { ip, fingerprint: hasher.finish() }
    }
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self { retries: VecDeque::new(), clients: HashMap::new(), rotation: VecDeque::new(), len: 0 }
    }
}

impl<T: Queued> FairQueue<T> {
    /// Queues a client's request behind its earlier ones.
    pub fn push(&mut self, client: ClientKey, entry: T) {
        self.len += 1;
        let waiting = self.clients.entry(client).or_default();
        if waiting.is_empty() {
            self.rotation.push_back(client);
        }
        waiting.push_back(entry);
    }

    /// Queues a request before all that are no retries.
    pub fn push_retry(&mut self, entry: T) {
        self.len += 1;
        self.retries.push_back(entry);
    }

    /// The next request to serve.
    pub fn pop(&mut self) -> Option<T> {
        if let Some(entry) = self.retries.pop_front() {
            self.len -= 1;
            return Some(entry);
        }
        let client = self.rotation.pop_front()?;
        let waiting = self.clients.get_mut(&client)?;
        let entry = waiting.pop_front()?;
        self.len -= 1;
        if waiting.is_empty() {
            self.clients.remove(&client);
        } else {
            self.rotation.push_back(client);
        }
        Some(entry)
    }

    /// Removes the last request of the client with the most, if it has more than `client` would have with one more.
    pub fn evict_for(&mut self, client: ClientKey) -> Option<T> {
        self.remove_departed();
        let own = self.clients.get(&client).map_or(0, VecDeque::len);
        let waiting = self.clients.values_mut().max_by_key(|waiting| waiting.len())?;
        if waiting.len() <= own + 1 {
            return None;
        }
        self.len -= 1;
        waiting.pop_back()
    }

    /// Whether nothing is queued.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All entries, with those that have left and were not removed yet.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Removes the entries that have left, once they outnumber the `waiting` ones: amortized, a departure costs
    /// constant time.
    pub fn compact(&mut self, waiting: usize) {
        if self.len > 2 * waiting + COMPACT_FROM {
            self.remove_departed();
        }
    }

    fn remove_departed(&mut self) {
        self.retries.retain(Queued::is_waiting);
        for waiting in self.clients.values_mut() {
            waiting.retain(Queued::is_waiting);
        }
        self.clients.retain(|_, waiting| !waiting.is_empty());
        self.rotation.retain(|client| self.clients.contains_key(client));
        self.len = self.retries.len() + self.clients.values().map(VecDeque::len).sum::<usize>();
    }
}

const COMPACT_FROM: usize = 64;
