//! Limiters: Business Central's limits on concurrency and rate, enforced in front of it.
//!
//! Legacy clients don't understand 429. Requests beyond the limits are queued here, fairly between clients, instead of
//! rejected there.

#[cfg(test)]
mod concurrency_table;
mod contention;
mod estimate;
mod fair_queue;
mod handle;
mod lane;
#[cfg(test)]
mod overload_tests;
mod permits;
mod rate_wait;
mod replicas;
mod slices;
#[cfg(test)]
mod tests;
mod usage;
mod window;

pub use fair_queue::{ClientKey, FairQueue, Queued};
pub use handle::{Limiter, LimiterState, Priority};
pub use lane::Scope;
pub use permits::{AcquireError, Permit};
pub use rate_wait::RateLimited;
pub use replicas::SharedUse;
pub use usage::{LimiterUse, distinct};
