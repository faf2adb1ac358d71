//! Bodies on their path through the proxy: what a client sends, read ahead or streaming, and the bounds on both.

pub mod client_body;
pub mod error;
pub mod gunzip;
pub mod idle_timeout;
pub mod memory_budget;
pub mod min_rate_body;
pub mod read_ahead;
pub mod request_body;
