//! The service control manager of this machine.

use std::ffi::OsString;
use std::io;
use std::time::Duration;

use windows_service::service::{
    Service, ServiceAccess, ServiceAction, ServiceActionType, ServiceErrorControl, ServiceExitCode,
    ServiceFailureActions, ServiceFailureResetPeriod, ServiceInfo, ServiceStartType, ServiceState, ServiceType,
};
use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};

use super::manager::{Definition, ExitCode, Installed, ManagerError, ServiceControlManager, Settings, State};
use super::name::ServiceName;
use crate::telemetry::event_log;

/// The service control manager of this machine.
pub struct ThisMachine;

impl ThisMachine {
    fn open(name: &ServiceName, access: ServiceAccess) -> windows_service::Result<Service> {
        let manager = ServiceManager::local_computer(None::<&str>, ServiceManagerAccess::CONNECT)?;
        manager.open_service(name.as_str(), access)
    }
}

impl ServiceControlManager for ThisMachine {
    fn check_permission(&self) -> Result<(), ManagerError> {
        let manager = ServiceManager::local_computer(None::<&str>, MAY_INSTALL);
        manager.map(drop).map_err(|error| described(&ServiceName::default(), &error))
    }

    fn install(&self, definition: &Definition) -> Result<Installed, ManagerError> {
        install(definition).map_err(|error| match system_error(&error).and_then(io::Error::raw_os_error) {
            Some(1057 | 1332) => ManagerError::UnknownAccount(definition.account.name()),
            _ => described(&definition.name, &error),
        })
    }

    fn start(&self, name: &ServiceName) -> Result<(), ManagerError> {
        let started = Self::open(name, ServiceAccess::START).and_then(|service| service.start::<OsString>(&[]));
        started.map_err(|error| described(name, &error))
    }

    fn stop(&self, name: &ServiceName) -> Result<(), ManagerError> {
        let stopped = Self::open(name, ServiceAccess::STOP).and_then(|service| service.stop());
        stopped.map(drop).map_err(|error| described(name, &error))
    }

    fn state(&self, name: &ServiceName) -> Result<State, ManagerError> {
        let status = Self::open(name, ServiceAccess::QUERY_STATUS).and_then(|service| service.query_status());
        let status = status.map_err(|error| described(name, &error))?;
        let pending =
            |is_start| State::Pending { is_start, checkpoint: status.checkpoint, wait_hint: status.wait_hint };
        Ok(match status.current_state {
            ServiceState::Stopped => State::Stopped(match status.exit_code {
                ServiceExitCode::Win32(code) => ExitCode::Windows(code),
                ServiceExitCode::ServiceSpecific(code) => ExitCode::Bcproxy(code),
            }),
            ServiceState::StartPending | ServiceState::ContinuePending => pending(true),
            ServiceState::StopPending | ServiceState::PausePending => pending(false),
            // bcproxy can't be paused.
            ServiceState::Running | ServiceState::Paused => State::Running { process: status.process_id },
        })
    }

    fn settings(&self, name: &ServiceName) -> Result<Settings, ManagerError> {
        let settings = Self::open(name, ServiceAccess::QUERY_CONFIG).and_then(|service| service.query_config());
        let settings = settings.map_err(|error| described(name, &error))?;
        Ok(Settings {
            command: settings.executable_path.display().to_string(),
            account: settings.account_name.unwrap_or_default().to_string_lossy().into_owned(),
            is_automatic: settings.start_type == ServiceStartType::AutoStart,
        })
    }

    fn remove(&self, name: &ServiceName) -> Result<(), ManagerError> {
        let removed = Self::open(name, ServiceAccess::DELETE).and_then(|service| service.delete());
        removed.map_err(|error| described(name, &error))?;
        // Its events are still in the Event Log. Without the key, their texts are shown below a remark.
        let _ = event_log::deregister(name.as_str());
        Ok(())
    }
}

fn install(definition: &Definition) -> windows_service::Result<Installed> {
    let info = ServiceInfo {
        name: definition.name.as_str().into(),
        display_name: definition.name.as_str().into(),
        service_type: ServiceType::OWN_PROCESS,
        start_type: ServiceStartType::AutoStart,
        error_control: ServiceErrorControl::Normal,
        executable_path: definition.executable.clone(),
        launch_arguments: definition.arguments.clone(),
        dependencies: Vec::new(),
        account_name: Some(definition.account.name().into()),
        account_password: None,
    };
    // START is needed to let Windows start it again after a failure.
    let access = ServiceAccess::CHANGE_CONFIG | ServiceAccess::START;
    let manager = ServiceManager::local_computer(None::<&str>, MAY_INSTALL)?;
    let (service, is_new) = match manager.create_service(&info, access) {
        Ok(service) => (service, true),
        Err(error) if system_error(&error).and_then(io::Error::raw_os_error) == Some(SERVICE_EXISTS) => {
            let service = manager.open_service(definition.name.as_str(), access)?;
            service.change_config(&info)?;
            (service, false)
        }
        Err(error) => return Err(error),
    };
    let restart = |delay| ServiceAction { action_type: ServiceActionType::Restart, delay };
    let failure_actions = ServiceFailureActions {
        reset_period: ServiceFailureResetPeriod::After(RESET_PERIOD),
        reboot_msg: None,
        command: None,
        actions: Some(definition.restart_after.map(restart).to_vec()),
    };
    let settings = [
        ("the description", service.set_description(DESCRIPTION)),
        ("the delayed start", service.set_delayed_auto_start(true)),
        ("the time to stop before a restart", service.set_preshutdown_timeout(definition.preshutdown_timeout)),
        ("the restart after a failure", service.update_failure_actions(failure_actions)),
        ("the restart after an end with an error", service.set_failure_actions_on_non_crash_failures(true)),
    ];
    let not_set = settings.into_iter().filter_map(|(setting, result)| {
        let error = result.err()?;
        Some((setting, system_error(&error).map_or_else(|| error.to_string(), ToString::to_string)))
    });
    let unregistered = event_log::register(definition.name.as_str()).err();
    let unregistered = unregistered.map(|error| ("the source of its events", error.to_string()));
    Ok(Installed { is_new, not_set: not_set.chain(unregistered).collect() })
}

fn system_error(error: &windows_service::Error) -> Option<&io::Error> {
    match error {
        windows_service::Error::Winapi(error) => Some(error),
        _ => None,
    }
}

/// Source: Microsoft, "System Error Codes".
fn described(name: &ServiceName, error: &windows_service::Error) -> ManagerError {
    let Some(error) = system_error(error) else { return ManagerError::Other(error.to_string()) };
    match error.raw_os_error() {
        Some(5) => ManagerError::Denied,
        Some(1053) => ManagerError::NoResponse,
        Some(1056) => ManagerError::AlreadyRunning(name.clone()),
        Some(1060) => ManagerError::NotInstalled(name.clone()),
        Some(1061) => ManagerError::Busy(name.clone()),
        Some(1062) => ManagerError::NotRunning(name.clone()),
        Some(1069) => ManagerError::LogonFailed,
        Some(1072) => ManagerError::MarkedForDeletion(name.clone()),
        _ => ManagerError::Other(error.to_string().trim_end_matches('.').to_owned()),
    }
}

const MAY_INSTALL: ServiceManagerAccess = ServiceManagerAccess::CONNECT.union(ServiceManagerAccess::CREATE_SERVICE);

/// As the Services console shows it.
const DESCRIPTION: &str = "Lets programs that cannot use OAuth call Dynamics 365 Business Central online.";

/// The failures are counted from zero after a day without one.
const RESET_PERIOD: Duration = Duration::from_secs(24 * 60 * 60);

/// `ERROR_SERVICE_EXISTS`.
const SERVICE_EXISTS: i32 = 1073;
