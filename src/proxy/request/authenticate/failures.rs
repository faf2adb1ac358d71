//! Wrong credentials: counted, and answered ever more slowly.
//!
//! Whoever guesses is slowed by address and by user name. Nobody is locked out: the credentials are checked first, and
//! right ones are never delayed.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lru::LruCache;
use tokio::time::Instant;

/// The ways in which a client can fail to prove who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Basic.
    Basic,
    /// NTLM.
    Ntlm,
    /// An API key.
    ApiKey,
    /// A certificate.
    Certificate,
    /// The token of the admin listener.
    AdminToken,
}

/// The failures of late. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Failures(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    recent: Mutex<Recent>,
    /// Checks that wait or run, by address.
    checks: Mutex<HashMap<IpAddr, usize>>,
    counts: [AtomicU64; Scheme::ALL.len()],
}

/// Failures by address and by user name; the oldest are forgotten first.
#[derive(Debug)]
struct Recent {
    by_address: LruCache<IpAddr, Streak>,
    /// By a hash of the name: clients choose how long it is.
    by_user: LruCache<u64, Streak>,
    hasher: RandomState,
}

/// Failures without a long pause.
#[derive(Debug, Clone, Copy)]
struct Streak {
    count: u32,
    last: Instant,
}

impl Scheme {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Basic, Self::Ntlm, Self::ApiKey, Self::Certificate, Self::AdminToken];

    /// The word in metrics, which is that of `client_auth`, where it can be set.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Ntlm => "ntlm",
            Self::ApiKey => "api_key",
            Self::Certificate => "mtls",
            Self::AdminToken => "admin_token",
        }
    }
}

impl Default for Recent {
    fn default() -> Self {
        Self { by_address: LruCache::new(MAX_STREAKS), by_user: LruCache::new(MAX_STREAKS), hasher: RandomState::new() }
    }
}

impl Failures {
    /// Counts a failure. Returns how long its response has to wait.
    pub fn count(&self, scheme: Scheme, client: IpAddr, user: Option<&str>) -> Duration {
        if let Some(count) = self.0.counts.get(scheme as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let now = Instant::now();
        let mut recent = self.0.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let by_address = failed(&mut recent.by_address, client, now);
        let user = user.map(|user| recent.hasher.hash_one(user.to_lowercase()));
        let by_user = user.map_or(0, |user| failed(&mut recent.by_user, user, now));
        delay(by_address.max(by_user))
    }

    /// Failures since the start.
    pub fn counts(&self) -> impl Iterator<Item = (Scheme, u64)> {
        let count = |(scheme, count): (Scheme, &AtomicU64)| (scheme, count.load(Ordering::Relaxed));
        Scheme::ALL.into_iter().zip(&self.0.counts).map(count)
    }

    /// Begins a check for a client. `None` when it has too many.
    pub fn begin_check(&self, client: IpAddr) -> Option<Check> {
        let mut checks = self.checks();
        let running = checks.entry(client).or_default();
        if *running >= MAX_CHECKS {
            return None;
        }
        *running += 1;
        drop(checks);
        Some(Check { failures: self.clone(), client })
    }

    fn checks(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.checks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A check that waits or runs.
#[derive(Debug)]
pub struct Check {
    failures: Failures,
    client: IpAddr,
}

impl Drop for Check {
    fn drop(&mut self) {
        if let Entry::Occupied(mut checks) = self.failures.checks().entry(self.client) {
            match checks.get() {
                ..=1 => drop(checks.remove()),
                _ => *checks.get_mut() -= 1,
            }
        }
    }
}

/// Counts a failure. Returns how many there were without a long pause.
fn failed<K: Hash + Eq>(streaks: &mut LruCache<K, Streak>, key: K, now: Instant) -> u32 {
    let streak = streaks.get_or_insert_mut(key, || Streak { count: 0, last: now });
    if now - streak.last > FORGOTTEN_AFTER {
        streak.count = 0;
    }
    *streak = Streak { count: streak.count.saturating_add(1), last: now };
    streak.count
}

/// None for the first three, then twice as long each time.
fn delay(failures: u32) -> Duration {
    match failures.checked_sub(FREE_FAILURES + 1) {
        None => Duration::ZERO,
        Some(beyond) => LONGEST_DELAY.min(Duration::from_millis(250) * 2_u32.pow(beyond.min(8))),
    }
}

const FREE_FAILURES: u32 = 3;
const LONGEST_DELAY: Duration = Duration::from_secs(8);
const FORGOTTEN_AFTER: Duration = Duration::from_secs(10 * 60);

/// Addresses, and user names, whose failures are remembered.
const MAX_STREAKS: NonZeroUsize = NonZeroUsize::new(8192).unwrap();

/// Checks of one address at the same time. Each has to wait for those before it.
const MAX_CHECKS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    #[tokio::test(start_paused = true)]
    async fn guessing_gets_slower_by_address_and_by_user() {
        let failures = Failures::default();
        let wrong = |client, user| failures.count(Scheme::Basic, client, Some(user)).as_millis();
        let delays: Vec<u128> = (0..10).map(|_| wrong(ONE, "anna")).collect();
        assert_eq!(delays, [0, 0, 0, 250, 500, 1000, 2000, 4000, 8000, 8000]);
        assert_eq!((wrong(OTHER, "Anna"), wrong(ONE, "bert"), wrong(OTHER, "carl")), (8000, 8000, 0));
        tokio::time::advance(FORGOTTEN_AFTER + Duration::from_secs(1)).await;
        assert_eq!((wrong(ONE, "anna"), wrong(ONE, "anna")), (0, 0));
        assert_eq!(failures.counts().map(|(_, count)| count).collect::<Vec<_>>(), [15, 0, 0, 0, 0]);
    }

    #[test]
    fn an_address_has_only_so_many_checks_at_the_same_time() {
        let failures = Failures::default();
        let running: Vec<Check> = (0..MAX_CHECKS).filter_map(|_| failures.begin_check(ONE)).collect();
        assert_eq!(running.len(), MAX_CHECKS);
        assert!(failures.begin_check(ONE).is_none() && failures.begin_check(OTHER).is_some());
        drop(running);
        assert!(failures.begin_check(ONE).is_some());
        assert!(failures.checks().is_empty());
    }
}
