//! What Windows tells a console program (HandlerRoutine in the Console API).

use std::io;

use tokio::signal::windows::{self, CtrlBreak, CtrlC, CtrlClose, CtrlShutdown};

use super::Signal;

/// What comes from the keyboard, the console and the system.
///
/// Not that somebody logs off: only services hear of it, whoever it is, and they are to go on.
pub struct Signals {
    interrupt: CtrlC,
    /// The only one that reaches a program which was started in a process group of its own, as service wrappers do.
    break_off: CtrlBreak,
    /// Some seconds later Windows ends the process, whatever it is doing; so it does after a shutdown has begun.
    close: CtrlClose,
    shutdown: CtrlShutdown,
}

impl Signals {
    /// From now on these are ours, so that one that comes while starting is not lost.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: windows::ctrl_c()?,
            break_off: windows::ctrl_break()?,
            close: windows::ctrl_close()?,
            shutdown: windows::ctrl_shutdown()?,
        })
    }

    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Stop,
            _ = self.break_off.recv() => Signal::Stop,
            _ = self.close.recv() => Signal::Stop,
            _ = self.shutdown.recv() => Signal::Stop,
        }
    }
}
