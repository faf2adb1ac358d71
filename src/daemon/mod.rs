//! The process: how it starts, reloads and stops.
//!
//! | file | job |
//! |---|---|
//! | `service` | runs the proxy and its admin listener, reloads and drains them |
//! | `admin_runtime` | the runtime of the admin listener |
//! | `signals` | signals of the operating system, and controls of a service |
//! | `telemetry_export` | the exporter of telemetry for a collector |
//! | `postponed` | changes of the configuration that need a restart |
//! | `file_watcher` | notices changes on disk |
//! | `freed_memory` | returns freed memory to the system |
//! | `service_manager` | systemd, or the service control manager of Windows |

mod admin_runtime;
mod file_watcher;
mod freed_memory;
mod postponed;
mod service;
pub mod service_manager;
mod signals;
mod telemetry_export;

pub use service::Service;
#[cfg(feature = "demo")]
pub use service::StartError;
pub use signals::{Controls, Signals};
