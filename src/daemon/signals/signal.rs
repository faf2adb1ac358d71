//! What a signal asks for.

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGHUP.
    #[cfg(unix)]
    Reload,
    /// SIGTERM or SIGINT; on Windows: Ctrl-C, Ctrl-Break, a closed console or a shutdown.
    Stop,
}
