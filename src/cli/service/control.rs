//! `bcproxy service start`, `stop`, `status` and `uninstall`.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anstream::println;

use super::data_folder::DataFolder;
use super::manager::{ExitCode, ManagerError, ServiceControlManager, State};
use super::name::ServiceName;
use crate::cli::common::Failure;

/// Starts the service, and waits until it serves.
pub fn start(manager: &dyn ServiceControlManager, name: &ServiceName) -> Result<(), Failure> {
    manager.start(name)?;
    match settled(manager, name, true, thread::sleep)? {
        State::Running { .. } => {
            println!("The service {name} runs.");
            Ok(())
        }
        State::Stopped(code) => Err(Failure::Failed(format!(
            "The service {name} has ended: {}. The Application log of Windows has the reason.",
            code.meaning()
        ))),
        State::Pending { .. } => Err(hanging(name)),
    }
}

/// Stops the service, and waits until its open requests are finished.
pub fn stop(manager: &dyn ServiceControlManager, name: &ServiceName) -> Result<(), Failure> {
    manager.stop(name)?;
    println!("The service {name} finishes its open requests. `bcproxy stop` ends them immediately.");
    match settled(manager, name, false, thread::sleep)? {
        State::Stopped(_) => {
            println!("The service {name} has stopped.");
            Ok(())
        }
        State::Running { .. } | State::Pending { .. } => Err(hanging(name)),
    }
}

/// Prints the state and the settings of the service. It is a failure if the service does not run.
pub fn status(manager: &dyn ServiceControlManager, name: &ServiceName) -> Result<(), Failure> {
    let (state, settings) = (manager.state(name)?, manager.settings(name)?);
    let shown = match state {
        State::Running { process: Some(process) } => format!("runs (process {process})"),
        State::Running { process: None } => "runs".to_owned(),
        State::Pending { is_start: true, .. } => "starts".to_owned(),
        State::Pending { is_start: false, .. } => "finishes its open requests".to_owned(),
        State::Stopped(code) => format!("does not run ({})", code.meaning()),
    };
    println!("The service {name} {shown}.");
    println!("  starts   {}", if settings.is_automatic { "with Windows" } else { "by hand" });
    println!("  account  {}", settings.account);
    println!("  command  {}", settings.command);
    match state {
        State::Running { .. } => Ok(()),
        _ => Err(Failure::Failed(String::new())),
    }
}

/// Stops the service if it runs, and removes it; with `removes_data`, also the folder of the configuration file.
pub fn uninstall(
    manager: &dyn ServiceControlManager,
    name: &ServiceName,
    config: &Path,
    removes_data: bool,
) -> Result<(), Failure> {
    let folder = DataFolder::of(config);
    if removes_data && !folder.is_own() {
        return Err(Failure::Configuration(format!(
            "{} may hold other things than those of bcproxy. Remove its files by hand, and leave out --remove-data.",
            folder.path().display()
        )));
    }
    let state = manager.state(name).map_err(|error| match error {
        // The files may be those of a service of another name, and the folder may hold other things.
        ManagerError::NotInstalled(name) => Failure::Failed(format!(
            "There is no service {name}, so nothing was removed. If it has another name, give that with --name. \
             If no service uses bcproxy's files in {} any more, delete these by hand.",
            folder.path().display()
        )),
        error => error.into(),
    })?;
    if !matches!(state, State::Stopped(_)) {
        stop(manager, name)?;
    }
    manager.remove(name)?;
    println!("Removed the service {name}.");
    match removes_data {
        true => {
            let removed = fs::remove_dir_all(folder.path());
            removed
                .map_err(|error| Failure::Failed(format!("Removing {} failed: {error}.", folder.path().display())))?;
            println!("Removed {} with the configuration, the secrets and the log.", folder.path().display());
        }
        false => println!("The configuration, the secrets and the log stay in {}.", folder.path().display()),
    }
    Ok(())
}

/// Waits while the service makes progress with a start or a stop, and returns its state after that.
fn settled(
    manager: &dyn ServiceControlManager,
    name: &ServiceName,
    is_start: bool,
    mut sleep: impl FnMut(Duration),
) -> Result<State, ManagerError> {
    let (mut latest, mut waited) = (0, Duration::ZERO);
    loop {
        let state = manager.state(name)?;
        let limit = match state {
            State::Pending { checkpoint, wait_hint, .. } => {
                if checkpoint != latest {
                    (latest, waited) = (checkpoint, Duration::ZERO);
                }
                wait_hint.max(MIN_WAIT)
            }
            // The service has not taken the control yet.
            State::Running { .. } if !is_start => MIN_WAIT,
            State::Running { .. } | State::Stopped(_) => return Ok(state),
        };
        if waited >= limit {
            return Ok(state);
        }
        sleep(POLL_INTERVAL);
        waited += POLL_INTERVAL;
    }
}

fn hanging(name: &ServiceName) -> Failure {
    Failure::Failed(format!(
        "The service {name} makes no progress. Look for its error in the Application log of Windows, and in its log."
    ))
}

impl ExitCode {
    /// What it means, as a clause.
    fn meaning(self) -> String {
        match self {
            Self::Windows(0) | Self::Bcproxy(0) => "it was stopped".to_owned(),
            // ERROR_SERVICE_NEVER_STARTED
            Self::Windows(1077) => "it was never started".to_owned(),
            Self::Bcproxy(2) => "its configuration is wrong; run `bcproxy check`".to_owned(),
            Self::Windows(code) => format!("Windows error {code}; `net helpmsg {code}` explains it"),
            Self::Bcproxy(code) => format!("bcproxy failed with exit code {code}"),
        }
    }
}

/// Windows reports this error within 30 seconds if the process does not respond.
const MIN_WAIT: Duration = Duration::from_secs(30);

const POLL_INTERVAL: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::scripted::Scripted;
    use super::*;

    fn after(states: &[State], is_start: bool) -> (State, Duration) {
        let slept = Cell::new(Duration::ZERO);
        let sleep = |time| slept.set(slept.get() + time);
        let state = settled(&Scripted::new(states), &ServiceName::default(), is_start, sleep).unwrap();
        (state, slept.get())
    }

    const RUNNING: State = State::Running { process: Some(7) };
    const STOPPED: State = State::Stopped(ExitCode::Windows(0));

    fn pending(is_start: bool, checkpoint: u32) -> State {
        State::Pending { is_start, checkpoint, wait_hint: Duration::from_secs(15) }
    }

    fn text(failure: Failure) -> String {
        failure.parts().0
    }

    #[test]
    fn a_start_waits_while_there_is_progress() {
        let states = [pending(true, 1), pending(true, 1), pending(true, 2), RUNNING];
        assert_eq!(after(&states, true), (RUNNING, 3 * POLL_INTERVAL));
        let name = ServiceName::default();
        assert!(start(&Scripted::new(&[RUNNING]), &name).is_ok());
    }

    #[test]
    fn a_start_that_fails_says_why_and_where_to_look() {
        for (code, part) in [
            (ExitCode::Bcproxy(2), "bcproxy check"),
            (ExitCode::Bcproxy(1), "exit code 1"),
            (ExitCode::Windows(5), "net helpmsg 5"),
        ] {
            let failure = start(&Scripted::new(&[State::Stopped(code)]), &ServiceName::default()).unwrap_err();
            let text = text(failure);
            assert!(text.contains(part) && text.contains("Application log"), "{text}");
        }
    }

    #[test]
    fn a_stop_waits_for_an_hour_of_progress_but_not_for_a_service_that_hangs() {
        let progress: Vec<State> = (1..14_400).map(|checkpoint| pending(false, checkpoint)).chain([STOPPED]).collect();
        assert_eq!(after(&progress, false).0, STOPPED);
        assert_eq!(after(&[pending(false, 4)], false), (pending(false, 4), MIN_WAIT));
        assert_eq!(after(&[RUNNING, RUNNING, STOPPED], false).0, STOPPED);
        assert_eq!(after(&[RUNNING], false), (RUNNING, MIN_WAIT));
    }

    #[test]
    fn a_service_that_runs_is_stopped_before_it_is_removed() {
        let name = ServiceName::default();
        let file = Path::new("proxy.yaml");
        let service = Scripted::new(&[RUNNING, STOPPED]);
        assert!(uninstall(&service, &name, file, false).is_ok());
        assert_eq!(service.calls(), ["stop", "remove"]);
        let service = Scripted::new(&[STOPPED]);
        assert!(uninstall(&service, &name, file, false).is_ok());
        assert_eq!(service.calls(), ["remove"]);
        let failure = uninstall(&service, &name, file, true).unwrap_err();
        assert!(text(failure).contains("by hand"), "a folder of somebody's choice is not removed");
        let absent = Scripted::default();
        let text = text(uninstall(&absent, &name, file, false).unwrap_err());
        assert!(text.contains("no service bcproxy") && text.contains("delete these by hand"), "{text}");
        assert!(absent.calls().is_empty());
    }

    #[test]
    fn the_status_is_a_failure_unless_the_service_runs() {
        let name = ServiceName::default();
        assert!(status(&Scripted::new(&[RUNNING]), &name).is_ok());
        assert!(status(&Scripted::new(&[STOPPED]), &name).is_err());
        assert!(text(status(&Scripted::default(), &name).unwrap_err()).contains("bcproxy service install"));
    }
}
