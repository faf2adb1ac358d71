//! The calls of Windows: the dispatcher of a service's process, and its status.

use std::ffi::OsString;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use windows_service::service::{
    ServiceControl, ServiceControlAccept, ServiceExitCode, ServiceState, ServiceStatus, ServiceType,
};
use windows_service::service_control_handler::{self, ServiceControlHandlerResult, ServiceStatusHandle};
use windows_service::{define_windows_service, service_dispatcher};

use super::reporter::Reporter;
use super::status::{Control, Status, StatusSink};
use crate::daemon::signals::Controls;

/// A service that Windows has started.
pub struct Started {
    /// Its name.
    pub name: String,
    /// What tells the service control manager of its state.
    pub manager: Arc<Reporter>,
    /// What the service control manager asks for.
    pub controls: Arc<Controls>,
}

/// Why this process can't be a service.
#[derive(Debug, thiserror::Error)]
pub enum DispatchError {
    /// A terminal started it, or a second service in the same process.
    #[error("only the service control manager of Windows starts a service. Run `bcproxy service start`.")]
    NotStartedByWindows,
    /// Windows reports another error.
    #[error("Windows does not start the service: {0}.")]
    Windows(windows_service::Error),
}

/// Runs `main` as the service that this process was started for, and returns after it.
///
/// `main` returns the exit code: 0 for success.
pub fn dispatch(main: impl FnOnce(Started) -> u8 + Send + 'static) -> Result<(), DispatchError> {
    *MAIN.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(main));
    // The name is ignored for a process with one service.
    service_dispatcher::start("", service_entry).map_err(|error| match &error {
        windows_service::Error::Winapi(system) if system.raw_os_error() == Some(NOT_STARTED_BY_WINDOWS) => {
            DispatchError::NotStartedByWindows
        }
        _ => DispatchError::Windows(error),
    })
}

type Main = Box<dyn FnOnce(Started) -> u8 + Send>;

/// Windows calls a function without a context.
static MAIN: Mutex<Option<Main>> = Mutex::new(None);
static REPORTER: OnceLock<Arc<Reporter>> = OnceLock::new();

define_windows_service!(service_entry, service_main);

fn service_main(arguments: Vec<OsString>) {
    let name = arguments.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let main = MAIN.lock().unwrap_or_else(PoisonError::into_inner).take();
    // Without a handle, no status can be reported: Windows then reports a service that does not respond.
    let (Some(main), Ok(handle)) = (main, service_control_handler::register(&name, handle_control)) else { return };
    let controls = Arc::<Controls>::default();
    let reporter = Arc::new(Reporter::new(Box::new(handle), controls.clone()));
    let _ = REPORTER.set(reporter.clone());
    let code = main(Started { name, manager: reporter.clone(), controls });
    reporter.stopped(code);
}

/// A function and no closure: windows-service frees the handler's closure at the first stop, but Windows may call the
/// handler again until the process ends. A function has nothing to free.
fn handle_control(control: ServiceControl) -> ServiceControlHandlerResult {
    let control = match control {
        ServiceControl::Stop => Control::Stop,
        ServiceControl::Preshutdown => Control::Preshutdown,
        ServiceControl::ParamChange => Control::ParamChange,
        // Windows knows the latest status already.
        ServiceControl::Interrogate => return ServiceControlHandlerResult::NoError,
        _ => return ServiceControlHandlerResult::NotImplemented,
    };
    // None can be missed: a service that starts takes no controls.
    if let Some(reporter) = REPORTER.get() {
        reporter.control(control);
    }
    ServiceControlHandlerResult::NoError
}

impl StatusSink for ServiceStatusHandle {
    fn report(&self, status: Status) {
        let (current_state, checkpoint, exit_code) = match status {
            Status::Starting { checkpoint } => (ServiceState::StartPending, checkpoint, ServiceExitCode::NO_ERROR),
            Status::Running => (ServiceState::Running, 0, ServiceExitCode::NO_ERROR),
            Status::Stopping { checkpoint } => (ServiceState::StopPending, checkpoint, ServiceExitCode::NO_ERROR),
            Status::Stopped { code: 0 } => (ServiceState::Stopped, 0, ServiceExitCode::NO_ERROR),
            Status::Stopped { code } => (ServiceState::Stopped, 0, ServiceExitCode::ServiceSpecific(code.into())),
        };
        let controls_accepted = match status {
            Status::Running => {
                ServiceControlAccept::STOP | ServiceControlAccept::PRESHUTDOWN | ServiceControlAccept::PARAM_CHANGE
            }
            _ => ServiceControlAccept::empty(),
        };
        // If Windows does not take the status, there is nobody else to tell.
        let _ = self.set_service_status(ServiceStatus {
            service_type: ServiceType::OWN_PROCESS,
            current_state,
            controls_accepted,
            exit_code,
            checkpoint,
            wait_hint: status.wait_hint(),
            process_id: None,
        });
    }
}

/// `ERROR_FAILED_SERVICE_CONTROLLER_CONNECT`.
const NOT_STARTED_BY_WINDOWS: i32 = 1063;
