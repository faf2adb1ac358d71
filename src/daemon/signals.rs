//! Signals of the operating system; on Windows, events of the console.

pub use system::Signals;

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGHUP.
    #[cfg(unix)]
    Reload,
    /// SIGTERM or SIGINT; on Windows: Ctrl-C, Ctrl-Break, a closed console or a shutdown.
    Stop,
}

#[cfg(unix)]
mod system {
    use std::io;

    use tokio::signal::unix::{self, SignalKind, signal};

    use super::Signal;

    /// The signal handlers.
    pub struct Signals {
        terminate: unix::Signal,
        interrupt: unix::Signal,
        hang_up: unix::Signal,
    }

    impl Signals {
        /// Installs the handlers. Signals are queued until [`Self::next`], so none is lost during the start.
        pub fn listen() -> io::Result<Self> {
            Ok(Self {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
                hang_up: signal(SignalKind::hangup())?,
            })
        }

        /// Waits for the next signal.
        pub async fn next(&mut self) -> Signal {
            tokio::select! {
                _ = self.terminate.recv() => Signal::Stop,
                _ = self.interrupt.recv() => Signal::Stop,
                _ = self.hang_up.recv() => Signal::Reload,
            }
        }
    }
}

/// Console events on Windows (`HandlerRoutine` in the Console API).
#[cfg(windows)]
mod system {
    use std::io;

    use tokio::signal::windows::{self, CtrlBreak, CtrlC, CtrlClose, CtrlShutdown};

    use super::Signal;

    /// The handlers of console events.
    ///
    /// The logoff event is ignored: services get it for every user who logs off, and must keep running.
    pub struct Signals {
        interrupt: CtrlC,
        /// The only event that reaches a process in a process group of its own, where service wrappers start it.
        break_event: CtrlBreak,
        /// Windows ends the process a few seconds after this event, and after the next one.
        close: CtrlClose,
        shutdown: CtrlShutdown,
    }

    impl Signals {
        /// Installs the handlers. Events are queued until [`Self::next`], so none is lost during the start.
        pub fn listen() -> io::Result<Self> {
            Ok(Self {
                interrupt: windows::ctrl_c()?,
                break_event: windows::ctrl_break()?,
                close: windows::ctrl_close()?,
                shutdown: windows::ctrl_shutdown()?,
            })
        }

        /// Waits for the next event.
        pub async fn next(&mut self) -> Signal {
            tokio::select! {
                _ = self.interrupt.recv() => Signal::Stop,
                _ = self.break_event.recv() => Signal::Stop,
                _ = self.close.recv() => Signal::Stop,
                _ = self.shutdown.recv() => Signal::Stop,
            }
        }
    }
}
