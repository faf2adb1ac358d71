//! The read cache of routes that have one: identical reads share one request, and its answer is given again for as long as `cache` says.
//!
//! What is kept is Business Central's answer as it came. It is turned for each who gets it, so that clients which call us by different
//! names, with and without gzip, over HTTP/1.0 and 1.1, share it; and two requests are identical when what is sent for them is. Whether a
//! client may ask at all was judged by the steps before.
//!
//! The promise: a read that begins after the answer to a change never sees the data as it was before ([`changes`]).

mod flight;
mod kept;
mod key;
pub mod read_cache;
pub mod status;
pub mod store;
pub mod terms;
