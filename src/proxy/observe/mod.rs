//! What bcproxy records about requests: access log, counts, clients, and the latest problems.

pub mod access_log;
pub mod cache_counts;
pub mod client_counts;
pub mod distribution;
pub mod line_limit;
pub mod observed_clients;
pub mod problems;
pub mod records;
mod spans;
pub mod stages;
pub mod tally;
pub mod traffic;
