//! A queue that is fair between clients: one with many requests waiting gets no more permits than one with a single
//! request.

use std::collections::VecDeque;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, Hash};
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::LazyLock;

use foldhash::HashMap;
use foldhash::quality::RandomState;

/// What the queue is fair between: one program on one machine, as far as that can be told.
///
/// The address alone would make one client of all programs on this machine, or behind one router: a report would delay
/// a till. One client per connection would favor whoever opens the most. So the key is address, route, `User-Agent`,
/// and who the client has proven to be. Within a client, requests are served in order of arrival. That is fair to its
/// connections, since each has one request at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientKey {
    ip: IpAddr,
    /// Permits in each round of the rotation.
    weight: NonZeroUsize,
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
    retries: Line<T>,
    clients: HashMap<ClientKey, Line<T>>,
    /// Each client that waits, once.
    rotation: VecDeque<ClientKey>,
    /// Positions in the rotation that were assigned so far.
    positions: u64,
    /// Permits that the first client of the rotation got in this round.
    served_in_round: usize,
    /// Requests that wait.
    waiting: usize,
    /// All entries, with those that have left and were not removed yet.
    len: usize,
}

/// Entries in order of arrival.
#[derive(Debug)]
struct Line<T> {
    entries: VecDeque<T>,
    /// The entries that still wait.
    waiting: usize,
    /// Its position in the rotation; lower ones come first.
    position: u64,
}

impl ClientKey {
    /// `weight`: permits in each round of the rotation. `fingerprint`: whatever tells programs at one address apart.
    pub fn new(ip: IpAddr, weight: NonZeroUsize, fingerprint: impl Hash) -> Self {
        static STATE: LazyLock<RandomState> = LazyLock::new(RandomState::default);
        Self { ip, weight, fingerprint: STATE.hash_one(fingerprint) }
    }
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self { entries: VecDeque::new(), waiting: 0, position: 0 }
    }
}

impl<T: Queued> Line<T> {
    fn push(&mut self, entry: T) {
        self.entries.push_back(entry);
        self.waiting += 1;
    }

    /// The next entry that waits; `removed` counts the entries that are no longer in the line.
    fn pop(&mut self, removed: &mut usize) -> Option<T> {
        while let Some(entry) = self.entries.pop_front() {
            *removed += 1;
            if entry.is_waiting() {
                self.waiting -= 1;
                return Some(entry);
            }
        }
        None
    }
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self {
            retries: Line::default(),
            clients: HashMap::default(),
            rotation: VecDeque::new(),
            positions: 0,
            served_in_round: 0,
            waiting: 0,
            len: 0,
        }
    }
}

impl<T: Queued> FairQueue<T> {
    /// Queues a client's request behind its earlier ones.
    pub fn push(&mut self, client: ClientKey, entry: T) {
        match self.clients.entry(client) {
            Entry::Occupied(line) => line.into_mut(),
            Entry::Vacant(vacant) => {
                self.rotation.push_back(client);
                self.positions += 1;
                vacant.insert(Line { position: self.positions, ..Line::default() })
            }
        }
        .push(entry);
        (self.waiting, self.len) = (self.waiting + 1, self.len + 1);
    }

    /// Queues a request before all that are no retries.
    pub fn push_retry(&mut self, entry: T) {
        self.retries.push(entry);
        (self.waiting, self.len) = (self.waiting + 1, self.len + 1);
    }

    /// The next request to serve.
    pub fn pop(&mut self) -> Option<T> {
        let mut removed = 0;
        let next = self.retries.pop(&mut removed).or_else(|| self.pop_in_rotation(&mut removed));
        self.len -= removed;
        self.waiting -= usize::from(next.is_some());
        next
    }

    fn pop_in_rotation(&mut self, removed: &mut usize) -> Option<T> {
        loop {
            let client = *self.rotation.front()?;
            let line = self.clients.get_mut(&client)?;
            let next = line.pop(removed);
            self.served_in_round += 1;
            let is_empty = line.entries.is_empty();
            if is_empty || self.served_in_round >= client.weight.get() {
                self.served_in_round = 0;
                self.rotation.pop_front();
                if is_empty {
                    self.clients.remove(&client);
                } else {
                    self.rotation.push_back(client);
                    self.positions += 1;
                    line.position = self.positions;
                }
            }
            if next.is_some() {
                return next;
            }
        }
    }

    /// Requests that are served before the next one of this client, as long as nobody leaves.
    ///
    /// These are its own, and in each round until then, as many of every other client as its weight allows.
    pub fn ahead_of(&self, client: ClientKey) -> usize {
        let (own, position) = self.clients.get(&client).map_or((0, u64::MAX), |line| (line.waiting, line.position));
        let first = self.rotation.front();
        let served = |client| if Some(client) == first { self.served_in_round } else { 0 };
        let rounds = (own + served(&client)) / client.weight;
        let others = self.clients.iter().filter(|(_, line)| line.position != position).map(|(client, line)| {
            let rounds = rounds + usize::from(line.position < position);
            line.waiting.min((rounds * client.weight.get()).saturating_sub(served(client)))
        });
        self.retries.waiting + own + others.sum::<usize>()
    }

    /// Retries that wait.
    pub fn waiting_retries(&self) -> usize {
        self.retries.waiting
    }

    /// Requests of this client that wait.
    pub fn waiting_of(&self, client: ClientKey) -> usize {
        self.clients.get(&client).map_or(0, |line| line.waiting)
    }

    /// The client with the most waiting requests, and how many these are.
    pub fn longest(&self) -> Option<(usize, ClientKey)> {
        self.clients.iter().map(|(client, line)| (line.waiting, *client)).max_by_key(|(waiting, _)| *waiting)
    }

    /// Removes the last request of this client.
    pub fn evict(&mut self, client: ClientKey) -> Option<T> {
        let line = self.clients.get_mut(&client)?;
        while let Some(entry) = line.entries.pop_back() {
            self.len -= 1;
            if entry.is_waiting() {
                line.waiting -= 1;
                self.waiting -= 1;
                return Some(entry);
            }
        }
        None
    }

    /// Removes the waiting requests that meet a condition.
    pub fn remove(&mut self, meets: impl Fn(&T) -> bool) -> Vec<T> {
        let mut removed = Vec::new();
        for line in self.clients.values_mut().chain([&mut self.retries]) {
            let is_removed = |entry: &T| entry.is_waiting() && meets(entry);
            let (out, rest): (VecDeque<T>, VecDeque<T>) =
                std::mem::take(&mut line.entries).into_iter().partition(is_removed);
            (line.entries, line.waiting) = (rest, line.waiting - out.len());
            removed.extend(out);
        }
        self.waiting -= removed.len();
        self.len -= removed.len();
        removed
    }

    /// Counts a request of this client (`None`: a retry) that left. Entries that have left are removed once they
    /// outnumber the waiting ones: amortized, a departure costs constant time.
    pub fn leave(&mut self, client: Option<ClientKey>) {
        let line = match client {
            Some(client) => self.clients.get_mut(&client),
            None => Some(&mut self.retries),
        };
        if let Some(line) = line {
            line.waiting -= 1;
            self.waiting -= 1;
        }
        if self.len > 2 * self.waiting + COMPACT_FROM {
            self.remove_departed();
        }
    }

    /// Requests that wait.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// All entries, with those that have left and were not removed yet.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.len
    }

    fn remove_departed(&mut self) {
        let first = self.rotation.front().copied();
        for line in self.clients.values_mut().chain([&mut self.retries]) {
            line.entries.retain(Queued::is_waiting);
        }
        self.clients.retain(|_, line| !line.entries.is_empty());
        self.rotation.retain(|client| self.clients.contains_key(client));
        if self.rotation.front().copied() != first {
            self.served_in_round = 0;
        }
        self.len = self.waiting;
    }
}

const COMPACT_FROM: usize = 64;

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::net::Ipv4Addr;
    use std::rc::Rc;

    use super::*;

    /// A number, and whether it still waits.
    type Entry = (usize, Rc<Cell<bool>>);

    impl Queued for Entry {
        fn is_waiting(&self) -> bool {
            self.1.get()
        }
    }

    #[test]
    fn the_requests_ahead_are_those_that_are_served_before() {
        let mut random = fastrand::Rng::with_seed(18);
        for round in 0..300 {
            let mut queue = FairQueue::<Entry>::default();
            let mut present: Vec<(Option<ClientKey>, Entry)> = Vec::new();
            for number in 0..random.usize(1..80) {
                let client = random.usize(0..6);
                let weight = NonZeroUsize::new(1 + client % 3).unwrap();
                let key = ClientKey::new(Ipv4Addr::LOCALHOST.into(), weight, client);
                let entry = (number, Rc::new(Cell::new(true)));
                match random.usize(0..8) {
                    0 => {
                        queue.push_retry(entry.clone());
                        present.push((None, entry));
                    }
                    1 if !present.is_empty() => {
                        let (key, (_, waits)) = present.swap_remove(random.usize(..present.len()));
                        waits.set(false);
                        queue.leave(key);
                    }
                    2 | 3 => {
                        let served = queue.pop();
                        present.retain(|(_, entry)| Some(entry.0) != served.as_ref().map(|served| served.0));
                    }
                    _ => {
                        queue.push(key, entry.clone());
                        present.push((Some(key), entry));
                    }
                }
            }
            assert_eq!(queue.waiting(), present.len());
            let key = ClientKey::new(Ipv4Addr::LOCALHOST.into(), NonZeroUsize::MIN, random.usize(0..2) * 3);
            let ahead = queue.ahead_of(key);
            queue.push(key, (usize::MAX, Rc::new(Cell::new(true))));
            let served: Vec<usize> = std::iter::from_fn(|| queue.pop()).map(|(number, _)| number).collect();
            assert_eq!(served.iter().position(|number| *number == usize::MAX), Some(ahead), "round {round}");
            assert_eq!((served.len(), queue.len()), (present.len() + 1, 0));
        }
    }
}
