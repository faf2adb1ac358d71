//! Bodies on their path through the proxy: what a client sends, in memory or on disk, and the bounds on both.

pub mod client_body;
pub mod error;
pub mod gunzip;
pub mod idle_timeout;
pub mod min_rate_body;
pub mod receive;
pub mod request_body;
pub mod spool;
