//! The latest requests that were rejected or failed, and why: what an administrator on call wants to see first.
//!
//! Equal ones are one problem with a count. They are equal when client, route, method, path, status and reason are. The
//! path counts because another path is mostly another mistake, and the reason because one path can fail in many ways.
//! The query is left out, and so is the application, which is chosen anew for each request.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use hyper::{Method, StatusCode};
use time::OffsetDateTime;
use uuid::Uuid;

use super::line_limit::LineLimit;
use crate::business_central::ResponseIds;
use crate::entra::ClientId;
use crate::guide::RejectionCode;

/// The latest problems, of all routes.
#[derive(Debug, Default)]
pub struct Problems {
    /// The latest first.
    latest: Mutex<VecDeque<Problem>>,
    /// Which of them, and of all other requests, are logged.
    pub line_limit: LineLimit,
}

/// Equal requests that were rejected or failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How many they are.
    pub count: u64,
    /// When the response to the first ended.
    pub first_at: OffsetDateTime,
    /// When the response to the latest ended.
    pub at: OffsetDateTime,
    /// The latest one's id in the log and in `X-Request-Id`.
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
    /// bcproxy's own code; `None` where Business Central rejected it.
    pub code: Option<RejectionCode>,
    /// Who the client is: the identity it has proven, or else the entry of `clients`.
    pub identity: Option<String>,
    /// The application of the latest attempt of the latest request, if there was one.
    pub application: Option<ClientId>,
    /// `request-id` of Business Central's response to the latest, if there was one.
    pub bc_request_id: Option<String>,
    /// Its `ms-correlation-x`.
    pub bc_correlation_id: Option<String>,
    /// The `client-request-id` that the latest was sent with: the client's own, or else `id`.
    pub client_request_id: Option<String>,
    /// What the client was told, or what Business Central's response says.
    pub reason: String,
}

/// One request that was rejected or failed. Most fields are those of a [`Problem`].
#[derive(Debug, Clone, Copy)]
pub struct Failure<'f> {
    pub at: OffsetDateTime,
    pub id: Uuid,
    pub client: IpAddr,
    pub route: Option<&'f str>,
    pub method: &'f Method,
    pub path: &'f str,
    pub status: StatusCode,
    pub code: Option<RejectionCode>,
    pub identity: Option<&'f str>,
    pub application: Option<ClientId>,
    pub response_ids: Option<&'f ResponseIds>,
    pub reason: &'f str,
}

impl Problems {
    /// Adds a failure to its problem, or else as a new one. Path and reason are cut short where they are long.
    ///
    /// Beyond 50 problems, the client that has the most loses its oldest: none displaces the problems of others.
    pub fn record(&self, failure: Failure<'_>) {
        let (path, reason) = (shortened(failure.path), shortened(failure.reason));
        let failure = Failure { path: &path, reason: &reason, ..failure };
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let known = latest.iter().position(|problem| problem.covers(&failure)).and_then(|index| latest.remove(index));
        let mut problem = known.unwrap_or_else(|| {
            evict_if_full(&mut latest, failure.client);
            Problem::of(&failure)
        });
        problem.add(&failure);
        latest.push_front(problem);
    }

    /// The latest first.
    pub fn latest(&self) -> Vec<Problem> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

impl Problem {
    /// The problem that a failure belongs to, without the failure itself.
    fn of(failure: &Failure<'_>) -> Self {
        let Failure { at, id, client, route, method, path, status, code, identity, reason, .. } = *failure;
        Self {
            count: 0,
            first_at: at,
            at,
            id,
            client,
            route: route.map(str::to_owned),
            method: method.clone(),
            path: path.to_owned(),
            status,
            code,
            identity: identity.map(str::to_owned),
            application: None,
            bc_request_id: None,
            bc_correlation_id: None,
            client_request_id: None,
            reason: reason.to_owned(),
        }
    }

    /// Adds a failure: it is the latest.
    fn add(&mut self, failure: &Failure<'_>) {
        self.count += 1;
        (self.at, self.id, self.application) = (failure.at, failure.id, failure.application);
        // Copies: a header's value would keep the whole head of its response in memory.
        let copied = |id: fn(&ResponseIds) -> Option<&str>| failure.response_ids.and_then(id).map(str::to_owned);
        self.bc_request_id = copied(ResponseIds::request_id);
        self.bc_correlation_id = copied(ResponseIds::correlation_id);
        self.client_request_id = copied(ResponseIds::client_request_id);
    }

    /// Whether a failure is equal to those of this problem.
    fn covers(&self, failure: &Failure<'_>) -> bool {
        self.client == failure.client
            && self.status == failure.status
            && self.code == failure.code
            && self.path == failure.path
            && self.method == *failure.method
            && self.route.as_deref() == failure.route
            && self.identity.as_deref() == failure.identity
            && self.reason == failure.reason
    }
}

/// Removes a problem if they are too many for one more of this client.
fn evict_if_full(latest: &mut VecDeque<Problem>, newcomer: IpAddr) {
    if latest.len() < MAX_PROBLEMS {
        return;
    }
    let held = |client: IpAddr| {
        latest.iter().filter(|problem| problem.client == client).count() + usize::from(client == newcomer)
    };
    // The last of equal ones is the oldest.
    let removed = latest.iter().enumerate().max_by_key(|(_, problem)| held(problem.client)).map(|(index, _)| index);
    if let Some(index) = removed {
        latest.remove(index);
    }
}

/// The beginning of a long text: clients choose paths and, in part, reasons.
fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(text),
    }
}

/// Enough to see what is going on.
const MAX_PROBLEMS: usize = 50;

const MAX_CHARACTERS: usize = 600;

#[cfg(test)]
mod tests {
    use super::*;

    /// A failure of the client 192.0.2.`client` at this second.
    fn failure(client: u8, second: i64, path: &str) -> Failure<'_> {
        Failure {
            at: OffsetDateTime::from_unix_timestamp(second).unwrap(),
            id: Uuid::from_u128(second as u128),
            client: IpAddr::from([192, 0, 2, client]),
            route: Some("/api"),
            method: &Method::GET,
            path,
            status: StatusCode::NOT_FOUND,
            code: None,
            identity: None,
            application: None,
            response_ids: None,
            reason: "None.",
        }
    }

    #[test]
    fn equal_failures_are_one_problem_with_the_latest_id() {
        let problems = Problems::default();
        let long = "/x".repeat(700);
        for second in 1..=25 {
            problems.record(failure(1, second, "/a"));
            problems.record(failure(1, second, &long));
        }
        let other = failure(1, 26, "/a");
        for other in [
            Failure { client: IpAddr::from([192, 0, 2, 9]), ..other },
            Failure { route: None, ..other },
            Failure { method: &Method::PUT, ..other },
            Failure { path: "/A", ..other },
            Failure { status: StatusCode::FORBIDDEN, ..other },
            Failure { identity: Some("till"), ..other },
            Failure { reason: "Another.", ..other },
        ] {
            problems.record(other);
        }
        problems.record(failure(1, 27, "/a"));
        let latest = problems.latest();
        assert_eq!(latest.len(), 2 + 7);
        let [first, .., last] = &latest[..] else { panic!("{latest:?}") };
        let times = |problem: &Problem| [problem.first_at, problem.at].map(OffsetDateTime::unix_timestamp);
        assert_eq!((first.count, times(first), first.id), (26, [1, 27], Uuid::from_u128(27)));
        assert_eq!((last.count, times(last), last.path.chars().count()), (25, [1, 25], MAX_CHARACTERS + 1));
    }

    #[test]
    fn no_client_displaces_the_problems_of_others() {
        let problems = Problems::default();
        for path in ["/a", "/b"] {
            problems.record(failure(1, 1, path));
            problems.record(failure(2, 1, path));
        }
        for number in 0..1_000 {
            problems.record(failure(3, 2, &format!("/{number}")));
        }
        let held = |client: u8| {
            let client = IpAddr::from([192, 0, 2, client]);
            problems.latest().iter().filter(|problem| problem.client == client).count()
        };
        assert_eq!([held(1), held(2), held(3)], [2, 2, MAX_PROBLEMS - 4]);
        assert_eq!(problems.latest()[0].path, "/999");
        for number in 0..1_000 {
            problems.record(failure(4, 3, &format!("/{number}")));
        }
        assert_eq!([held(1), held(2), held(3), held(4)], [2, 2, 23, 23]);
        for client in 100..=255 {
            problems.record(failure(client, 4, "/a"));
        }
        assert_eq!((problems.latest().len(), held(255), held(206), held(205)), (MAX_PROBLEMS, 1, 1, 0));
    }
}
