//! The process: what starts it, changes it and ends it.
//!
//! | file | job |
//! |---|---|
//! | `service` | a proxy and its admin listener in service, reloaded and drained |
//! | `signals` | what the operating system asks for |
//! | `watch` | what changes on disk |
//! | `service_manager` | what systemd is told, and the sockets it holds |

mod service;
pub mod service_manager;
mod signals;
mod watch;

pub use service::{Service, StartError};
pub use signals::Signals;

/// Raises the limit of open files to what this process may have: every client takes one, and the usual limit is 1,024.
pub fn raise_file_limit(connections: usize) {
    #[cfg(unix)]
    {
        use rlimit::Resource;
        let raised = Resource::NOFILE.get().and_then(|(now, most)| {
            if now < most {
                Resource::NOFILE.set(most, most)?;
            }
            Ok(most)
        });
        match raised {
            Ok(most) if most < connections as u64 => tracing::warn!(
                "this process may have {most} files open and each connection takes one, so {connections} (`max_connections`) can't be reached: \
                 raise the limit (systemd: LimitNOFILE=, otherwise: ulimit -n)"
            ),
            Ok(_) => {}
            Err(error) => {
                tracing::warn!("the limit of open files can't be raised ({error}); each connection takes one")
            }
        }
    }
    #[cfg(not(unix))]
    let _ = connections;
}
