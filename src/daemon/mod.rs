//! The process: how it starts, reloads and stops.
//!
//! | file | job |
//! |---|---|
//! | `service` | runs the proxy and its admin listener, reloads and drains them |
//! | `signals` | signals of the operating system |
//! | `file_watcher` | notices changes on disk |
//! | `file_limit` | the limit on open files |
//! | `service_manager` | messages to systemd, and the sockets it holds |

mod file_limit;
mod file_watcher;
mod service;
pub mod service_manager;
mod signals;

pub use file_limit::raise_file_limit;
pub use service::Service;
#[cfg(feature = "demo")]
pub use service::StartError;
pub use signals::Signals;
