//! What the service control manager is told (`SERVICE_STATUS`), and the controls it sends (`HandlerEx`).

use std::time::Duration;

/// The state of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It starts. The checkpoint grows with its progress.
    Starting { checkpoint: u32 },
    /// It serves. Only in this state does it take controls.
    Running,
    /// It finishes open requests. The checkpoint grows with its progress.
    Stopping { checkpoint: u32 },
    /// It has ended. 0 is success; other codes are those of the process.
    Stopped { code: u8 },
}

impl Status {
    /// The same state with the next checkpoint; `None` if the state has none.
    pub fn advanced(self) -> Option<Self> {
        match self {
            Self::Starting { checkpoint } => Some(Self::Starting { checkpoint: checkpoint.saturating_add(1) }),
            Self::Stopping { checkpoint } => Some(Self::Stopping { checkpoint: checkpoint.saturating_add(1) }),
            Self::Running | Self::Stopped { .. } => None,
        }
    }

    /// The time within which the next checkpoint or state follows. Without one, Windows reports that the service hangs.
    pub fn wait_hint(self) -> Duration {
        match self {
            Self::Starting { .. } => Duration::from_secs(60),
            Self::Stopping { .. } => Duration::from_secs(15),
            Self::Running | Self::Stopped { .. } => Duration::ZERO,
        }
    }
}

/// A control that the service reacts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Somebody stops the service.
    Stop,
    /// Windows shuts down, and waits for this service as long as it was told to at its installation.
    Preshutdown,
    /// The configuration has changed.
    ParamChange,
}

/// Where the status goes.
pub trait StatusSink: Send + Sync {
    /// Reports the status. Failures can't be reported anywhere.
    fn report(&self, status: Status);
}
