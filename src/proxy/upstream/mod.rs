//! The connections to Business Central. After every failure it is known whether any of the request was written.

mod body;
mod breaker;
mod client;
mod pool;
mod wire;

pub use body::{HeldUntilEnd, UpstreamBody};
pub use client::{SendError, SendFailure, Upstream, host};
