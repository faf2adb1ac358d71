//! The latest requests that were rejected or failed, and why: what an administrator on call wants to see first.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use hyper::{Method, StatusCode};
use time::OffsetDateTime;
use uuid::Uuid;

use super::line_limit::LineLimit;
use crate::entra::ClientId;

/// The latest problems, of all routes.
#[derive(Debug, Default)]
pub struct Problems {
    latest: Mutex<VecDeque<Problem>>,
    /// Which of them, and of all other requests, are logged.
    pub line_limit: LineLimit,
}

/// A request that was rejected or failed.
#[derive(Debug, Clone)]
pub struct Problem {
    /// When the response ended.
    pub at: OffsetDateTime,
    /// The id in the log and in `X-Request-Id`.
    pub id: Uuid,
    /// The client's address.
    pub client: IpAddr,
    /// `None` when no route covers the request.
    pub route: Option<String>,
    /// The method as the client sent it.
    pub method: Method,
    /// Without the query.
    pub path: String,
    /// The status the client got.
    pub status: StatusCode,
    /// Who the client is: the identity it has proven, or else the entry of `clients`.
    pub identity: Option<String>,
    /// The application of the latest attempt, if there was one.
    pub application: Option<ClientId>,
    /// What the client was told, or what Business Central's response says about the set-up.
    pub reason: String,
}

impl Problems {
    /// Adds a problem; beyond 50, the oldest is dropped. Path and reason are cut short where they are
    /// long.
    pub fn push(&self, problem: Problem) {
        let problem = Problem { path: shortened(&problem.path), reason: shortened(&problem.reason), ..problem };
        let mut problems = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        problems.truncate(MAX_PROBLEMS - 1);
        problems.push_front(problem);
    }

    /// The latest first.
    pub fn latest(&self) -> Vec<Problem> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

/// The beginning of a long text: clients choose paths and, in part, reasons.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Enough to see what is going on.
const MAX_PROBLEMS: usize = 50;

const MAX_CHARACTERS: usize = 600;
