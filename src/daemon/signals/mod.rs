//! What the operating system asks for.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub use unix::Signals;
#[cfg(windows)]
pub use windows::Signals;

/// A wish of the administrator's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGHUP.
    #[cfg(unix)]
    Reload,
    /// SIGTERM and SIGINT; on Windows Ctrl-C, Ctrl-Break, a console that is closed and a shutdown.
    Stop,
}
