//! Bodies on their path through the proxy: what a client sends, read ahead or streaming, and the bounds on both.

pub mod gunzip;
pub mod idle_timeout;
pub mod memory_budget;
pub mod min_rate_body;
pub mod request_body;
