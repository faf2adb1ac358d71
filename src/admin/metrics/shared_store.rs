//! The shared store: whether it is up, and how many replicas use it.

use std::fmt;

use super::family::{Labels, Writer, flag};
use crate::admin::report::Report;

/// Nothing if replicas share no limits.
pub fn write(report: &Report, writer: &mut Writer) -> fmt::Result {
    let Some(store) = &report.shared_store else { return Ok(()) };
    let single = |value: f64| [(Labels::new(), value)];
    let count = |count: u64| [(Labels::new(), count)];
    writer.family(
        "shared_store_up",
        "1 if this replica shares its limits with the others, 0 while it uses its own share",
        single(flag(store.up)),
    )?;
    writer.family(
        "shared_store_replicas",
        "Replicas that share limits, as last seen",
        single(store.replicas as f64),
    )?;
    writer.family(
        "shared_store_replicas_missing",
        "Replicas that stopped without an orderly end within the last 10 minutes",
        single(store.replicas_missing as f64),
    )?;
    writer.family(
        "shared_store_outages",
        "How often the shared store became slow or went away",
        count(store.outages),
    )?;
    writer.family("shared_store_calls", "Calls to the shared store", count(store.calls))?;
    writer.family(
        "shared_store_calls_failed",
        "Calls to the shared store without a response in time",
        count(store.calls_failed),
    )?;
    writer.family(
        "shared_store_latest_call_seconds",
        "The time that the latest call to the shared store took",
        single(store.latest_call),
    )
}
