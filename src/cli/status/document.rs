//! What the table of `bcproxy status` needs of `/status.json`.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The state of a running bcproxy.
#[derive(Debug, Deserialize)]
pub struct Status {
    pub version: String,
    pub uptime: f64,
    pub is_stopping: bool,
    /// The overall state.
    pub state: Option<String>,
    #[serde(default)]
    pub warnings: Vec<Warning>,
    pub configuration: Configuration,
    pub listeners: Vec<String>,
    pub connections: Connections,
    pub connectors: Vec<Connector>,
    pub routes: Vec<Route>,
    pub unrouted: Requests,
    pub problems: Vec<Problem>,
}

/// A reason why something works for now, but not as it should.
#[derive(Debug, Deserialize)]
pub struct Warning {
    pub reason: String,
    pub until: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Configuration {
    pub file: String,
    pub loaded_at: String,
    /// Why the file on disk is not in service.
    pub rejection: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Connections {
    pub open: u64,
    pub limit: u64,
}

#[derive(Debug, Deserialize)]
pub struct Connector {
    pub name: String,
    pub environment: String,
    /// `ready`, `waiting` or `not_ready`.
    pub state: String,
    pub reason: Option<String>,
    pub circuit_breaker_reason: Option<String>,
    pub company: Option<Company>,
    #[serde(default)]
    pub warnings: Vec<Warning>,
}

#[derive(Debug, Deserialize)]
pub struct Company {
    pub name: String,
}

#[derive(Debug, Deserialize)]
pub struct Route {
    pub path: String,
    pub to: String,
    pub connector: String,
    #[serde(flatten)]
    pub requests: Requests,
}

#[derive(Debug, Deserialize)]
pub struct Requests {
    pub requests: u64,
    /// By the status in decimal digits.
    pub by_status: BTreeMap<String, u64>,
}

#[derive(Debug, Deserialize)]
pub struct Problem {
    pub at: String,
    pub client: String,
    pub method: String,
    pub path: String,
    pub status: u16,
    pub reason: String,
}

impl Status {
    pub fn is_ready(&self) -> bool {
        !self.is_stopping && self.connectors.iter().any(Connector::is_ready)
    }

    pub fn overall(&self) -> &str {
        match &self.state {
            _ if self.is_stopping => "stopping",
            Some(state) => state,
            None if self.is_ready() => "ready",
            None => "not_ready",
        }
    }
}

impl Connector {
    pub fn is_ready(&self) -> bool {
        self.state == "ready"
    }

    /// What an administrator should know beside the state.
    pub fn remarks(&self) -> impl Iterator<Item = String> {
        let circuit_breaker = self.circuit_breaker_reason.as_ref();
        let unreachable = circuit_breaker.map(|reason| format!("Business Central can't be reached: {reason}"));
        self.reason.clone().into_iter().chain(unreachable).chain(self.warnings.iter().map(Warning::text))
    }
}

impl Requests {
    /// Responses with a status of this class: `4` for 400 to 499.
    pub fn in_class(&self, class: char) -> u64 {
        self.by_status.iter().filter(|(status, _)| status.starts_with(class)).map(|(_, count)| count).sum()
    }
}

impl Warning {
    pub fn text(&self) -> String {
        let until = self.until.as_ref().map_or_else(String::new, |until| format!(" (until {until})"));
        format!("warning: {}{until}", self.reason)
    }
}
