//! A request that was rejected or failed.

use serde::Serialize;

use super::format::rfc3339;
use crate::proxy::Problem;

#[derive(Debug, Serialize)]
pub struct ProblemReport {
    pub at: String,
    pub id: String,
    pub client: String,
    pub route: Option<String>,
    pub method: String,
    pub path: String,
    pub status: u16,
    /// The application of the last attempt, if the request was sent.
    pub client_id: Option<String>,
    pub reason: String,
}

impl ProblemReport {
    pub fn of(problem: Problem) -> Self {
        let Problem { at, id, client, route, method, path, status, application, reason } = problem;
        Self {
            at: rfc3339(at),
            id: id.to_string(),
            client: client.to_string(),
            route,
            method: method.to_string(),
            path,
            status: status.as_u16(),
            client_id: application.map(|application| application.to_string()),
            reason,
        }
    }
}
