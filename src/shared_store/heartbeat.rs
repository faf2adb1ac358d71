//! Heartbeats: they keep the connection to the shared store, and decide whether the store is up.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout};

use super::connection::connect;
use super::script::REPLICAS;
use super::store::Inner;
use crate::units::millis;

/// Sends heartbeats until the replica leaves or the store is dropped.
pub(super) async fn send_heartbeats(store: Weak<Inner>) {
    let (mut trust, mut instance) = (Trust::default(), None);
    loop {
        let Some(inner) = store.upgrade().filter(|inner| !inner.is_leaving.load(Ordering::Acquire)) else { return };
        match heartbeat(&inner, &mut instance).await {
            // A call has failed meanwhile.
            Ok(()) if trust.is_up() && !inner.is_up() => trust.failed(Instant::now()),
            Ok(()) if trust.succeeded(Instant::now()) => inner.succeed(),
            Ok(()) => {}
            Err(error) => {
                trust.failed(Instant::now());
                inner.fail(&error);
                // It may have died silently.
                inner.lock_connection().take();
            }
        }
        let mut health = inner.health.subscribe();
        drop(inner);
        if !trust.is_up() {
            tokio::time::sleep(INTERVAL_WHILE_DOWN).await;
        } else if timeout(INTERVAL, health.wait_for(|health| !health.is_up)).await.is_ok() {
            trust.failed(Instant::now());
        }
    }
}

/// How many heartbeats without a failure it takes until the store is up again.
#[derive(Debug)]
struct Trust {
    /// So many at the next outage.
    needed: u32,
    /// So many are missing.
    missing: u32,
    /// Since when the store has been up.
    up_since: Option<Instant>,
}

impl Default for Trust {
    fn default() -> Self {
        // The first contact needs no proof that the store is stable.
        Self { needed: SUCCESSES, missing: 1, up_since: None }
    }
}

impl Trust {
    fn is_up(&self) -> bool {
        self.up_since.is_some()
    }

    /// Notes a heartbeat. Whether the store is up.
    fn succeeded(&mut self, now: Instant) -> bool {
        self.missing = self.missing.saturating_sub(1);
        if self.missing == 0 && self.up_since.is_none() {
            self.up_since = Some(now);
        }
        self.is_up()
    }

    /// Notes that a heartbeat or a call has failed. Where outages follow each other, each lasts longer: a store may
    /// take heartbeats and reject all else.
    fn failed(&mut self, now: Instant) {
        if let Some(since) = self.up_since.take() {
            let is_stable = now.saturating_duration_since(since) >= STABLE;
            self.needed = if is_stable { SUCCESSES } else { (2 * self.needed).min(MAX_SUCCESSES) };
        }
        self.missing = self.needed;
    }
}

/// Connects if need be, and tells the store that this replica is alive. `instance`: that of the store's data, as last
/// seen.
async fn heartbeat(inner: &Arc<Inner>, instance: &mut Option<String>) -> Result<(), String> {
    let is_connected = inner.lock_connection().is_some();
    if !is_connected {
        let weak = Arc::downgrade(inner);
        let on_message = move |key: &str| {
            if let Some(inner) = weak.upgrade() {
                inner.wake_ups.message(key);
            }
        };
        let channel = inner.channel();
        let connecting = connect(&inner.settings, &inner.tls, Some(&channel), on_message);
        let connection = timeout(CONNECT_TIMEOUT, connecting).await;
        let connection = connection.map_err(|_| "no connection in time".to_owned())?;
        *inner.lock_connection() = Some(connection.map_err(|error| error.to_string())?);
    }
    let (seen_within, forget_after) = (millis(SEEN_WITHIN), millis(FORGET_AFTER));
    let new_instance = format!("{:016x}", fastrand::u64(..));
    let call = Heartbeat { replica: &inner.replica, new_instance, seen_within, forget_after };
    let seen = inner.call::<Seen>(&REPLICAS, &inner.replicas_key(), &call).await.map_err(|error| error.to_string())?;
    inner.replicas.store(seen.replicas.max(1), Ordering::Relaxed);
    inner.missing.store(seen.missing, Ordering::Relaxed);
    if instance.as_ref().is_some_and(|known| *known != seen.instance) {
        inner.losses.fetch_add(1, Ordering::Release);
        inner.wake_ups.wake_all();
    }
    *instance = Some(seen.instance);
    Ok(())
}

#[derive(Serialize)]
struct Heartbeat<'r> {
    replica: &'r str,
    new_instance: String,
    seen_within: u64,
    forget_after: u64,
}

#[derive(Deserialize)]
struct Seen {
    instance: String,
    replicas: usize,
    missing: usize,
}

/// The time between two heartbeats.
const INTERVAL: Duration = Duration::from_secs(1);

/// The same while the store is down.
const INTERVAL_WHILE_DOWN: Duration = Duration::from_millis(250);

/// Heartbeats without a failure before the store is up again.
const SUCCESSES: u32 = 3;

/// The same where one outage follows another: half a minute.
const MAX_SUCCESSES: u32 = 120;

/// A store that was up for so long is no cause for longer outages.
const STABLE: Duration = Duration::from_secs(30);

/// A time for DNS, TCP, TLS and the sign-in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A replica without a heartbeat for this time is gone or cut off.
const SEEN_WITHIN: Duration = Duration::from_secs(10);

/// How long Business Central works on a request of a replica that is gone (BC, "Operational limits").
const FORGET_AFTER: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared_store::test_server::TestServer;

    #[test]
    fn outages_that_follow_each_other_last_longer() {
        let (mut trust, now) = (Trust::default(), Instant::now());
        let until_up = |trust: &mut Trust| (1..).find(|_| trust.succeeded(now)).unwrap();
        assert_eq!(until_up(&mut trust), 1, "the first contact");
        let mut lengths = Vec::new();
        for _ in 0..8 {
            trust.failed(now);
            trust.failed(now);
            lengths.push(until_up(&mut trust));
        }
        assert_eq!(lengths, [6, 12, 24, 48, 96, 120, 120, 120]);
        trust.failed(now + 2 * STABLE);
        assert_eq!(until_up(&mut trust), 3, "it was stable");
    }

    #[tokio::test]
    #[ignore = "needs redis-server"]
    async fn a_replica_that_leaves_is_neither_counted_nor_missing() {
        let server = TestServer::start();
        let (stays, leaves) = (server.replica().await, server.replica().await);
        let until = async |replicas: usize| {
            let deadline = Instant::now() + Duration::from_secs(60);
            while stays.replicas() != replicas {
                assert!(Instant::now() < deadline, "{:?}", stays.status());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        until(2).await;
        leaves.leave().await;
        until(1).await;
        assert!(leaves.is_up() && stays.status().missing == 0, "{:?}", stays.status());
        // Its heartbeats have ended: it does not come back.
        let calls = stays.status().calls;
        let deadline = Instant::now() + Duration::from_secs(60);
        while stays.status().calls < calls + 3 {
            assert!(Instant::now() < deadline, "{:?}", stays.status());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(stays.replicas(), 1);
    }
}
