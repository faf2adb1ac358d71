//! From the vocabulary to the model: names are resolved, defaults inherited, and parts compared with each other.

mod admin;
mod applications;
mod client_auth;
mod config;
mod connectors;
mod listener_files;
mod listeners;
mod log;
mod named_files;
mod permissions;
mod references;
mod routes;
mod telemetry;
mod warnings;

pub use admin::admin;
pub use config::config;
pub use listeners::addresses_conflict;
pub use named_files::named_files;
pub use permissions::{Protection, check_permissions};
pub use references::{Variables, check_references};
