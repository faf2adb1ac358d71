//! From the vocabulary to the model: names are resolved, defaults inherited, and parts compared with each other.

mod applications;
pub(super) mod config;
mod connectors;
mod listeners;
mod outbound_proxy;
pub(super) mod references;
mod routes;
mod warnings;
