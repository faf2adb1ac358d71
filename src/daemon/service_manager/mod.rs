//! The program that starts bcproxy and watches it: systemd, or the service control manager of Windows.
//!
//! | file | job |
//! |---|---|
//! | `systemd` | messages to systemd, and the sockets it holds |
//! | `windows` | the protocol of a Windows service |

#[cfg(unix)]
mod systemd;
#[cfg(any(windows, test))]
pub mod windows;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::admin::Liveness;
#[cfg(not(unix))]
use crate::proxy::InheritedSockets;
#[cfg(unix)]
pub use systemd::inherited_sockets;

/// What a service manager is told. By default, nothing.
pub trait ServiceManager: Send + Sync {
    /// Reports that bcproxy serves: after the start, and after each reload. Administrators see `status`.
    fn ready(&self, _status: &str) {}

    /// Reports a reload, which ends with [`Self::ready`] whether it succeeds or not.
    fn reloading(&self) {}

    /// Reports that bcproxy finishes open requests, for `grace` at most.
    fn stopping(&self, _grace: Duration) {}

    /// Returns a future that reports from time to time that bcproxy makes progress. It need not end.
    fn heartbeat(self: Arc<Self>, _liveness: Liveness) -> BoxFuture<'static, ()> {
        Box::pin(async {})
    }
}

/// No service manager.
#[cfg(not(unix))]
struct Unmanaged;

#[cfg(not(unix))]
impl ServiceManager for Unmanaged {}

/// The service manager that the environment of this process names, if any.
pub fn from_environment() -> Arc<dyn ServiceManager> {
    #[cfg(unix)]
    return Arc::new(systemd::Systemd);
    #[cfg(not(unix))]
    Arc::new(Unmanaged)
}

/// The sockets that a service manager has opened for us: none.
#[cfg(not(unix))]
pub fn inherited_sockets() -> InheritedSockets {
    InheritedSockets::default()
}
