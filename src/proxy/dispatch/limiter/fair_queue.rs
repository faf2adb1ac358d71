//! A queue that serves its clients in turn: who has many waiting gets no more turns than who has one.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;

use super::Waiter;

/// Whose turn it is: one program on one machine, as far as that can be told.
///
/// An address alone would make one client of all programs on this machine, or behind one router: a report would keep a till waiting. Each
/// connection a client of its own would give the most turns to whoever opens most. So it is the address, the route and what the program
/// calls itself; within a client it goes by arrival, which is fair to its connections, since each has one request at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Client {
    ip: IpAddr,
    /// Two programs that share one by chance take turns as one.
    program: u64,
}

impl Client {
    /// `program`: whatever tells programs apart.
    pub fn new(ip: IpAddr, program: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        program.hash(&mut hasher);
        Self { ip, program: hasher.finish() }
    }
}

/// Who waits, by client.
#[derive(Debug, Default)]
pub struct FairQueue {
    /// They had a turn that came to nothing, and go first.
    again: VecDeque<Waiter>,
    clients: HashMap<Client, VecDeque<Waiter>>,
    /// Each client that waits, once.
    turns: VecDeque<Client>,
    /// With those who have left and are still in here.
    pub(super) connection_limit: usize,
}

impl FairQueue {
    pub fn push(&mut self, client: Client, waiter: Waiter) {
        self.connection_limit += 1;
        let waiting = self.clients.entry(client).or_default();
        if waiting.is_empty() {
            self.turns.push_back(client);
        }
        waiting.push_back(waiter);
    }

    /// Before all others.
    pub fn push_again(&mut self, waiter: Waiter) {
        self.connection_limit += 1;
        self.again.push_back(waiter);
    }

    /// The next in turn.
    pub fn pop(&mut self) -> Option<Waiter> {
        if let Some(waiter) = self.again.pop_front() {
            self.connection_limit -= 1;
            return Some(waiter);
        }
        let client = self.turns.pop_front()?;
        let waiting = self.clients.get_mut(&client)?;
        let waiter = waiting.pop_front()?;
        self.connection_limit -= 1;
        if waiting.is_empty() {
            self.clients.remove(&client);
        } else {
            self.turns.push_back(client);
        }
        Some(waiter)
    }

    /// The last one of the client with the most places, if those are more than this client would have with one more.
    pub fn displace_for(&mut self, client: Client) -> Option<Waiter> {
        self.forget_those_who_left();
        let own = self.clients.get(&client).map_or(0, VecDeque::len);
        let waiting = self.clients.values_mut().max_by_key(|waiting| waiting.len())?;
        if waiting.len() <= own + 1 {
            return None;
        }
        self.connection_limit -= 1;
        waiting.pop_back()
    }

    pub fn is_empty(&self) -> bool {
        self.connection_limit == 0
    }

    /// Forgets those who have left, when they have become many; `waiting` is how many have not.
    pub fn tidy(&mut self, waiting: usize) {
        if self.connection_limit > 2 * waiting + TIDY_FROM {
            self.forget_those_who_left();
        }
    }

    fn forget_those_who_left(&mut self) {
        self.again.retain(Waiter::is_waiting);
        for waiting in self.clients.values_mut() {
            waiting.retain(Waiter::is_waiting);
        }
        self.clients.retain(|_, waiting| !waiting.is_empty());
        self.turns.retain(|client| self.clients.contains_key(client));
        self.connection_limit = self.again.len() + self.clients.values().map(VecDeque::len).sum::<usize>();
    }
}

const TIDY_FROM: usize = 64;
