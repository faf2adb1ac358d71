//! What the table of `bcproxy status` needs of `/status.json`.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The state of a running bcproxy.
#[derive(Debug, Deserialize)]
pub struct Status {
    pub version: String,
    pub uptime: f64,
    /// `ready`, `degraded`, `not_ready` or `stopping`.
    pub state: String,
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
    pub company: Option<Company>,
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
    /// How often it occurred; the latest time is `at`.
    pub count: u64,
    pub at: String,
    pub client: String,
    pub method: String,
    pub path: String,
    pub status: u16,
    pub reason: String,
}

impl Status {
    pub fn is_ready(&self) -> bool {
        ["ready", "degraded"].contains(&self.state.as_str())
    }
}

impl Connector {
    /// What an administrator should know beside the state.
    pub fn remarks(&self) -> impl Iterator<Item = String> {
        self.reason.clone().into_iter().chain(self.warnings.iter().map(Warning::text))
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
