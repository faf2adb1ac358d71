//! The read cache of routes that have one: identical reads share one request, and its response is reused for as long as
//! `cache` says.
//!
//! Business Central's response is stored as it came and rewritten for each client. Clients share it whatever name they
//! reach bcproxy
//! by, with or without gzip, over HTTP/1.0 or 1.1. Requests are identical when they are sent to Business Central alike.
//! Whether a client may
//! make the request at all was checked by the steps before.
//!
//! The promise: a read that begins after a write was answered never sees data from before it ([`crate::proxy`],
//! `environment/changes`).

mod cached_response;
mod fetch;
mod key;
mod memory_budget;
pub mod read_cache;
pub mod status;
pub mod store;
pub mod terms;
