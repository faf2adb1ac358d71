//! What the commands ask of the service control manager of Windows.
#![cfg_attr(not(windows), allow(dead_code, reason = "elsewhere, only tests have such a manager"))]

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::account::ServiceAccount;
use super::name::ServiceName;
use crate::cli::common::Failure;

/// The service control manager.
pub trait ServiceControlManager {
    /// Whether this account may install services. Asked before anything is written.
    fn check_permission(&self) -> Result<(), ManagerError>;
    /// Creates the service, or changes it if it exists.
    fn install(&self, definition: &Definition) -> Result<Installed, ManagerError>;
    /// Begins to start the service.
    fn start(&self, name: &ServiceName) -> Result<(), ManagerError>;
    /// Begins to stop the service.
    fn stop(&self, name: &ServiceName) -> Result<(), ManagerError>;
    /// The state of the service.
    fn state(&self, name: &ServiceName) -> Result<State, ManagerError>;
    /// What is configured.
    fn settings(&self, name: &ServiceName) -> Result<Settings, ManagerError>;
    /// Removes the service, which must be stopped.
    fn remove(&self, name: &ServiceName) -> Result<(), ManagerError>;
}

/// A service to install. It starts automatically, after the other automatic services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its name.
    pub name: ServiceName,
    /// The executable.
    pub executable: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// The account that it runs under.
    pub account: ServiceAccount,
    /// The pauses before it is started again: after the first failure, the second, and all others. A failure is also
    /// an end with an error.
    pub restart_after: [Duration; 3],
    /// How long Windows waits for it before a planned restart.
    pub preshutdown_timeout: Duration,
}

/// What [`ServiceControlManager::install`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// Whether there was no service of this name.
    pub is_new: bool,
    /// The settings that Windows did not take, and why. The service works without them.
    pub not_set: Vec<(&'static str, String)>,
}

/// The state of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It does not run. The code is that of its latest end: 0 for success, or if it never ran.
    Stopped(ExitCode),
    /// It changes its state. Another checkpoint follows within the time.
    Pending {
        /// Whether it starts; otherwise it stops.
        is_start: bool,
        /// Grows with each sign of progress.
        checkpoint: u32,
        /// The time until the next one.
        wait_hint: Duration,
    },
    /// It runs.
    Running {
        /// Its process.
        process: Option<u32>,
    },
}

/// How a service ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCode {
    /// An error of Windows; 0 for none.
    Windows(u32),
    /// The exit code of bcproxy: 1 for a failure, 2 for a wrong configuration.
    Bcproxy(u32),
}

/// What is configured for a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The command line of its process.
    pub command: String,
    /// The account.
    pub account: String,
    /// Whether it starts with Windows.
    pub is_automatic: bool,
}

/// Why the service control manager did not do something. The message is complete sentences, with the fix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManagerError {
    /// Windows error 5.
    #[error("Windows denies this to your account. Run the command in a terminal \"as administrator\".")]
    Denied,
    /// Windows error 1060.
    #[error("There is no service {0}. Run `bcproxy service install`, or name another one with --name.")]
    NotInstalled(ServiceName),
    /// Windows error 1056.
    #[error("The service {0} runs already.")]
    AlreadyRunning(ServiceName),
    /// Windows error 1062.
    #[error("The service {0} does not run.")]
    NotRunning(ServiceName),
    /// Windows error 1061.
    #[error("The service {0} is just starting or stopping. Try again in some seconds.")]
    Busy(ServiceName),
    /// Windows error 1072.
    #[error(
        "The service {0} is about to be removed, but another program still uses it. Close the Services console and the \
         Task Manager, then try again."
    )]
    MarkedForDeletion(ServiceName),
    /// Windows errors 1057 and 1332.
    #[error("Windows does not know the account {0}. Check the spelling, and that this machine may use the account.")]
    UnknownAccount(String),
    /// Windows error 1069.
    #[error(
        "Windows can't sign in the service's account. Give it the right \"Log on as a service\", and check a managed \
         account with `Test-ADServiceAccount`."
    )]
    LogonFailed,
    /// Windows error 1053.
    #[error("The process of the service did not respond. Look for its error in the Application log of Windows.")]
    NoResponse,
    /// Any other error.
    #[error("Windows reports an error: {0}.")]
    Other(String),
}

impl From<ManagerError> for Failure {
    fn from(error: ManagerError) -> Self {
        Self::Failed(error.to_string())
    }
}
