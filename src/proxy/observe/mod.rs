//! What bcproxy records about requests: access log, counts, and the latest problems.

pub mod access_log;
pub mod cache_counts;
pub mod client_counts;
pub mod line_limit;
pub mod problems;
pub mod tally;
