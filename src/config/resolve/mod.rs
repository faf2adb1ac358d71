//! From the vocabulary to the model: names are resolved, defaults inherited, and parts compared with each other.

mod admin;
mod applications;
mod client_auth;
mod config;
mod connectors;
mod files;
mod listeners;
mod log;
mod named_files;
mod references;
mod routes;
mod shared_limits;
mod telemetry;
mod warnings;

pub use admin::admin;
pub use config::config;
pub use files::{Protection, check_permissions};
pub use listeners::addresses_conflict;
pub use named_files::named_files;
pub use references::{Variables, check_references};
