//! The latest requests that did not go well, and why: what an administrator who is called wants to see first.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use hyper::{Method, StatusCode};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::entra::ClientId;
use crate::proxy::exchange::Exchange;

/// The latest problems, of all routes.
#[derive(Debug, Default)]
pub struct Problems(Mutex<VecDeque<Problem>>);

/// A request that was refused or failed.
#[derive(Debug, Clone)]
pub struct Problem {
    pub at: OffsetDateTime,
    /// As in the log and in `X-Request-Id`.
    pub id: Uuid,
    pub client: IpAddr,
    /// `None` when there is no route for it.
    pub route: Option<String>,
    pub method: Method,
    /// Without its query.
    pub path: String,
    pub status: StatusCode,
    /// As which application it was sent last, if it came so far.
    pub application: Option<ClientId>,
    /// As the client was told, or what Business Central's answer says about the set-up.
    pub reason: String,
}

impl Problems {
    /// Remembers one and forgets the oldest if there are many.
    pub fn note(&self, exchange: &Exchange, status: StatusCode, reason: &str) {
        let problem = Problem {
            at: OffsetDateTime::now_utc(),
            id: exchange.id,
            client: exchange.client.ip(),
            route: exchange.route().map(|route| route.settings.path.to_string()),
            method: exchange.method.clone(),
            path: shortened(exchange.uri.path()),
            status,
            application: exchange.application(),
            reason: shortened(reason),
        };
        let mut problems = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        problems.truncate(KEPT - 1);
        problems.push_front(problem);
    }

    /// The latest first.
    pub fn latest(&self) -> Vec<Problem> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

/// The beginning of a long text: clients choose what stands in paths and, in part, in reasons.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Enough to see what is going on.
const KEPT: usize = 50;

const MOST_CHARACTERS: usize = 600;
