//! How many connections clients may have: all together, and each.
//!
//! Every connection takes a file and some memory. One program that never closes its own must not take the last one from the others.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::MaxConnections;

/// The places there are. Clones are the same.
#[derive(Debug, Clone)]
pub struct Places(Arc<Mutex<Taken>>);

#[derive(Debug)]
struct Taken {
    most: MaxConnections,
    total: usize,
    by_client: HashMap<IpAddr, usize>,
    refused: u64,
    /// When somebody was last told that there is none.
    told: Option<Instant>,
}

/// One connection's place. It is free again when this is dropped.
#[derive(Debug)]
pub struct Place {
    places: Places,
    client: IpAddr,
}

/// There is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full {
    pub why: Why,
    /// Whether it has not been said for a while.
    pub is_news: bool,
}

/// Who has all places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// This client has all it may have.
    Client(usize),
    All(usize),
}

impl Places {
    pub fn new(most: MaxConnections) -> Self {
        Self(Arc::new(Mutex::new(Taken { most, total: 0, by_client: HashMap::new(), refused: 0, told: None })))
    }

    /// Has other numbers hold from now on; nobody loses a place.
    pub fn limit(&self, most: MaxConnections) {
        self.lock().most = most;
    }

    /// How many are taken, of how many.
    pub fn taken(&self) -> (usize, usize) {
        let taken = self.lock();
        (taken.total, taken.most.total)
    }

    /// How many connections there was no place for.
    pub fn refused(&self) -> u64 {
        self.lock().refused
    }

    pub fn take(&self, client: IpAddr) -> Result<Place, Full> {
        let mut taken = self.lock();
        let MaxConnections { total, per_client } = taken.most;
        let own = taken.by_client.get(&client).copied().unwrap_or(0);
        let why = match () {
            () if own >= per_client => Why::Client(per_client),
            () if taken.total >= total => Why::All(total),
            () => {
                taken.total += 1;
                taken.by_client.insert(client, own + 1);
                return Ok(Place { places: self.clone(), client });
            }
        };
        taken.refused += 1;
        let is_news = taken.told.is_none_or(|told| told.elapsed() > SILENCE);
        if is_news {
            taken.told = Some(Instant::now());
        }
        Err(Full { why, is_news })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Keeps the place for as long as this takes.
    pub async fn held_by<T>(self, served: impl Future<Output = T>) -> T {
        let result = served.await;
        drop(self);
        result
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        taken.total -= 1;
        if let Entry::Occupied(mut own) = taken.by_client.entry(self.client) {
            *own.get_mut() -= 1;
            if *own.get() == 0 {
                own.remove();
            }
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(most) => write!(
                f,
                "this client has {most} connections open already, and no more are allowed: it should close those it is done with, or raise \
                 `per_client` of `max_connections` in proxy.yaml"
            ),
            Self::All(most) => write!(
                f,
                "{most} connections are open already, and no more are allowed: see who holds them, or raise `total` of `max_connections` in \
                 proxy.yaml"
            ),
        }
    }
}

/// How often the log says so.
const SILENCE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_left_is_free_again_and_nobody_takes_all() {
        let places = Places::new(MaxConnections { total: 3, per_client: 2 });
        let [one, other, third] = [1, 2, 3].map(|last| IpAddr::from([192, 0, 2, last]));
        let first = places.take(one).unwrap();
        let _second = places.take(one).unwrap();
        assert_eq!(places.take(one).unwrap_err(), Full { why: Why::Client(2), is_news: true });
        let _third = places.take(other).unwrap();
        assert_eq!(places.take(third).unwrap_err(), Full { why: Why::All(3), is_news: false });
        drop(first);
        let _again = places.take(third).unwrap();
        places.limit(MaxConnections { total: 10, per_client: 3 });
        let _more = [places.take(one).unwrap(), places.take(one).unwrap()];
        assert_eq!(places.take(one).unwrap_err().why, Why::Client(3));
        drop(_more);
        assert_eq!(places.lock().by_client.len(), 3);
    }
}
