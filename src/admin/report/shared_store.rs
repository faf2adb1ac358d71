//! The shared store, by which replicas share limits.

use serde::Serialize;
use time::OffsetDateTime;

use super::format::{rfc3339, serialize_time};
use super::warnings::{Warning, WarningKind};
use crate::sentence::ended;
use crate::shared_store::StoreStatus;

/// Whether replicas share their limits now, and how many do.
#[derive(Debug, Clone, Serialize)]
pub struct SharedStoreReport {
    /// The address, without user and password.
    pub address: String,
    /// Whether this replica uses the shared store now. Otherwise it uses its share of the limits.
    pub up: bool,
    /// Since when that is so.
    #[serde(serialize_with = "serialize_time")]
    pub since: OffsetDateTime,
    /// Why it is not up.
    pub failure: Option<String>,
    /// The replicas that share the limits, with this one. As last seen.
    pub replicas: usize,
    /// Replicas that stopped without an orderly end within the last 10 minutes.
    pub replicas_missing: usize,
    /// How often the shared store became slow or went away.
    pub outages: u64,
    pub calls: u64,
    /// Calls without a response in time.
    pub calls_failed: u64,
    /// The time that the latest call took.
    pub latest_call: f64,
}

impl SharedStoreReport {
    pub fn of(status: StoreStatus) -> Self {
        let StoreStatus { address, is_up, since, error, replicas, missing, outages, calls, failures, round_trip } =
            status;
        Self {
            address,
            up: is_up,
            since,
            failure: error.filter(|_| !is_up),
            replicas,
            replicas_missing: missing,
            outages,
            calls,
            calls_failed: failures,
            latest_call: round_trip.as_secs_f64(),
        }
    }

    /// What needs attention: the shared store is away.
    pub fn warning(&self) -> Option<Warning> {
        if self.up {
            return None;
        }
        let Self { address, since, failure, replicas, .. } = self;
        let why = failure.as_ref().map_or_else(|| ".".to_owned(), |failure| format!(": {}", ended(failure)));
        let reason = format!(
            "The shared store {address} has been slow or away since {}{why} This replica uses one of {replicas} shares of \
             the limits, and no caches. To see what is wrong, run `bcproxy doctor`.",
            rfc3339(*since)
        );
        Some(Warning::new(WarningKind::SharedStore, reason))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_a_store_that_is_away_needs_attention() {
        let status = |is_up: bool, error: Option<&str>| StoreStatus {
            address: "rediss://store.example:6379/0".to_owned(),
            is_up,
            since: time::macros::datetime!(2026-11-30 07:00:00 UTC),
            error: error.map(str::to_owned),
            replicas: 3,
            missing: 0,
            outages: 1,
            calls: 12,
            failures: 1,
            round_trip: Duration::from_micros(400),
        };
        let up = SharedStoreReport::of(status(true, Some("no reply within 50 ms")));
        assert!(up.warning().is_none() && up.failure.is_none());
        let json = serde_json::to_value(&up).unwrap();
        assert_eq!((&json["latest_call"], &json["since"]), (&0.0004.into(), &"2026-11-30T07:00:00Z".into()));
        let away = SharedStoreReport::of(status(false, Some("no reply within 50 ms")));
        let reason = "The shared store rediss://store.example:6379/0 has been slow or away since 2026-11-30T07:00:00Z: \
                      no reply within 50 ms. This replica uses one of 3 shares of the limits, and no caches. To see what \
                      is wrong, run `bcproxy doctor`.";
        assert_eq!(away.warning().unwrap().reason, reason);
        let unknown = SharedStoreReport::of(status(false, None)).warning().unwrap();
        assert!(unknown.reason.contains("07:00:00Z. This replica"), "{unknown}");
    }
}
