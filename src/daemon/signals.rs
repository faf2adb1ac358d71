//! Signals of the operating system: on Windows, events of the console and controls of a service.

use std::io;
use std::sync::Arc;

use tokio::sync::Notify;

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGHUP; on Windows: PARAMCHANGE. It has this name in the log.
    Reload(&'static str),
    /// SIGTERM or SIGINT; on Windows: Ctrl-C, Ctrl-Break, a closed console, a shutdown, or the stop of the service.
    Stop,
}

/// Signals that other code of this process sends. None is lost; those that nobody has taken yet count as one.
#[derive(Debug, Default)]
pub struct Controls {
    stop: Notify,
    reload: Notify,
}

/// Only the service control manager of Windows uses them.
#[cfg(any(windows, test))]
impl Controls {
    /// Asks to finish open requests and stop.
    pub fn stop(&self) {
        self.stop.notify_one();
    }

    /// Asks to reload the configuration.
    pub fn reload(&self) {
        self.reload.notify_one();
    }
}

impl Controls {
    async fn next(&self) -> Signal {
        tokio::select! {
            biased;
            () = self.stop.notified() => Signal::Stop,
            () = self.reload.notified() => Signal::Reload("PARAMCHANGE"),
        }
    }
}

/// The signals of this process.
pub struct Signals {
    system: system::Signals,
    controls: Arc<Controls>,
}

impl Signals {
    /// Installs the handlers of the system's signals. Signals are queued until [`Self::next`], so none is lost during
    /// the start.
    pub fn listen(controls: Arc<Controls>) -> io::Result<Self> {
        Ok(Self { system: system::Signals::listen()?, controls })
    }

    /// Waits for the next signal.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            signal = self.system.next() => signal,
            signal = self.controls.next() => signal,
        }
    }
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
        /// Installs the handlers.
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
                _ = self.hang_up.recv() => Signal::Reload("SIGHUP"),
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
        /// Installs the handlers.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn controls_are_queued_and_none_is_lost_to_another() {
        let controls = Arc::<Controls>::default();
        let mut signals = Signals::listen(controls.clone()).unwrap();
        controls.reload();
        controls.reload();
        controls.stop();
        assert_eq!(signals.next().await, Signal::Stop);
        assert_eq!(signals.next().await, Signal::Reload("PARAMCHANGE"));
        controls.stop();
        assert_eq!(signals.next().await, Signal::Stop);
    }
}
