//! Heartbeats: they keep the connection to the shared store, and decide whether the store is up.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::connection::connect;
use super::script::REPLICAS;
use super::store::Inner;

/// Sends heartbeats until the store is dropped.
pub(super) async fn send_heartbeats(store: Weak<Inner>) {
    // The first contact needs no proof that the store is stable.
    let mut missing_successes = 1;
    loop {
        let Some(inner) = store.upgrade() else { return };
        match heartbeat(&inner).await {
            Ok(()) => {
                missing_successes -= u32::min(missing_successes, 1);
                if missing_successes == 0 {
                    inner.succeed();
                }
            }
            Err(error) => {
                inner.fail(&error);
                // It may have died silently.
                inner.lock_connection().take();
                missing_successes = SUCCESSES;
            }
        }
        let mut health = inner.health.subscribe();
        let is_up = health.borrow_and_update().is_up;
        drop(inner);
        if is_up {
            // A failed call makes the next heartbeat urgent.
            let _ = tokio::time::timeout(INTERVAL, health.wait_for(|health| !health.is_up)).await;
            if !health.borrow().is_up {
                missing_successes = SUCCESSES;
            }
        } else {
            tokio::time::sleep(INTERVAL_WHILE_DOWN).await;
        }
    }
}

async fn heartbeat(inner: &Arc<Inner>) -> Result<(), String> {
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
        let connection = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await;
        let connection = connection.map_err(|_| "no connection in time".to_owned())?;
        *inner.lock_connection() = Some(connection.map_err(|error| error.to_string())?);
    }
    let (seen_within, forget_after) = (SEEN_WITHIN.as_millis() as u64, FORGET_AFTER.as_millis() as u64);
    let call = Heartbeat { replica: &inner.replica, seen_within, forget_after };
    let seen = inner.call::<Seen>(&REPLICAS, &inner.replicas_key(), &call).await.map_err(|error| error.to_string())?;
    inner.replicas.store(seen.replicas.max(1), Ordering::Relaxed);
    inner.missing.store(seen.missing, Ordering::Relaxed);
    Ok(())
}

#[derive(Serialize)]
struct Heartbeat<'r> {
    replica: &'r str,
    seen_within: u64,
    forget_after: u64,
}

#[derive(Deserialize)]
struct Seen {
    replicas: usize,
    missing: usize,
}

/// The time between two heartbeats.
const INTERVAL: Duration = Duration::from_secs(1);

/// The same while the store is down.
const INTERVAL_WHILE_DOWN: Duration = Duration::from_millis(250);

/// Heartbeats without a failure before the store is up again.
const SUCCESSES: u32 = 3;

/// A time for DNS, TCP, TLS and the sign-in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A replica without a heartbeat for this time is gone or cut off.
const SEEN_WITHIN: Duration = Duration::from_secs(10);

/// How long Business Central works on a request of a replica that is gone (BC, "Operational limits").
const FORGET_AFTER: Duration = Duration::from_secs(600);
