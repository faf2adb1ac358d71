//! A service control manager for tests, which has one service.

use std::cell::RefCell;
use std::collections::VecDeque;

use super::manager::{Definition, Installed, ManagerError, ServiceControlManager, Settings, State};
use super::name::ServiceName;

/// A service whose states follow each other; the last one stays. Without any state, it is not installed.
#[derive(Default)]
pub struct Scripted {
    /// Whether the account may not install services.
    pub is_denied: bool,
    states: RefCell<VecDeque<State>>,
    calls: RefCell<Vec<&'static str>>,
}

impl Scripted {
    pub fn new(states: &[State]) -> Self {
        Self { states: RefCell::new(states.iter().copied().collect()), ..Self::default() }
    }

    /// The calls that change something.
    pub fn calls(&self) -> Vec<&'static str> {
        self.calls.borrow().clone()
    }

    fn called(&self, what: &'static str) -> Result<(), ManagerError> {
        self.calls.borrow_mut().push(what);
        Ok(())
    }
}

impl ServiceControlManager for Scripted {
    fn check_permission(&self) -> Result<(), ManagerError> {
        if self.is_denied { Err(ManagerError::Denied) } else { Ok(()) }
    }

    fn install(&self, _: &Definition) -> Result<Installed, ManagerError> {
        self.called("install").map(|()| Installed { is_new: true, not_set: Vec::new() })
    }

    fn start(&self, _: &ServiceName) -> Result<(), ManagerError> {
        self.called("start")
    }

    fn stop(&self, _: &ServiceName) -> Result<(), ManagerError> {
        self.called("stop")
    }

    fn state(&self, name: &ServiceName) -> Result<State, ManagerError> {
        let mut states = self.states.borrow_mut();
        let state = states.front().copied().ok_or_else(|| ManagerError::NotInstalled(name.clone()))?;
        if states.len() > 1 {
            states.pop_front();
        }
        Ok(state)
    }

    fn settings(&self, name: &ServiceName) -> Result<Settings, ManagerError> {
        match self.states.borrow().is_empty() {
            true => Err(ManagerError::NotInstalled(name.clone())),
            false => Ok(Settings {
                command: "bcproxy.exe run --service".to_owned(),
                account: r"CONTOSO\bcproxy$".to_owned(),
                is_automatic: true,
            }),
        }
    }

    fn remove(&self, _: &ServiceName) -> Result<(), ManagerError> {
        self.called("remove")
    }
}
