//! Console events on Windows (`HandlerRoutine` in the Console API).

use std::io;

use tokio::signal::windows::{self, CtrlBreak, CtrlC, CtrlClose, CtrlShutdown};

use super::signal::Signal;

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
