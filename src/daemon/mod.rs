//! The process: how it starts, reloads and stops.
//!
//! | file | job |
//! |---|---|
//! | `service` | runs the proxy and its admin listener, reloads and drains them |
//! | `admin_runtime` | the runtime of the admin listener |
//! | `signals` | signals of the operating system |
//! | `telemetry_export` | the exporter of telemetry for a collector |
//! | `file_watcher` | notices changes on disk |
//! | `service_manager` | messages to systemd, and the sockets it holds |

mod admin_runtime;
mod file_watcher;
mod service;
pub mod service_manager;
mod signals;
mod telemetry_export;

pub use service::Service;
#[cfg(feature = "demo")]
pub use service::StartError;
pub use signals::Signals;
