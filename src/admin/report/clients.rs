//! The clients that send requests.

use std::cmp::Reverse;

use serde::Serialize;

use super::format::rfc3339;
use crate::proxy::{ClientCount, ObservedClient, ObservedClients};

/// A client, as far as address, `User-Agent` and identity tell it from others.
#[derive(Debug, Serialize)]
pub struct ClientReport {
    pub address: String,
    /// `None`: it sends none, or this is all that is left of an address with many clients.
    pub user_agent: Option<String>,
    /// Who it has proven to be.
    pub identity: Option<String>,
    /// Its name in the key `clients`.
    pub name: Option<String>,
    /// The credentials that its latest request offered.
    pub credentials: &'static str,
    /// The HTTP version of its latest request.
    pub http: &'static str,
    pub requests: u64,
    /// Those with a status of 400 or more, or without a response.
    pub errors: u64,
    /// Requests of the last five minutes.
    pub recent_requests: u64,
    /// The time that these spent in the queue, all together.
    pub recent_queue: f64,
    /// Requests in the queue now.
    pub queued: usize,
    pub last_seen: String,
}

impl ClientReport {
    /// The busiest 200, those with the most requests in the last five minutes first.
    pub fn all(clients: &ObservedClients) -> Vec<Self> {
        let mut clients = clients.clients();
        clients.sort_by_key(|one| Reverse((one.queued as u64 + one.recent_requests, one.last_seen)));
        clients.truncate(MAX_CLIENTS);
        clients.into_iter().map(Self::of).collect()
    }

    fn of(client: ObservedClient) -> Self {
        Self {
            address: client.address.to_string(),
            user_agent: client.user_agent,
            identity: client.identity,
            name: client.name,
            credentials: client.credentials,
            http: client.http,
            requests: client.requests,
            errors: client.errors,
            recent_requests: client.recent_requests,
            recent_queue: client.recent_queue.as_secs_f64(),
            queued: client.queued,
            last_seen: rfc3339(client.last_seen),
        }
    }
}

/// The requests of a client of the key `clients` since the start of the process.
#[derive(Debug, Serialize)]
pub struct KnownClientReport {
    pub name: String,
    pub requests: u64,
    /// Those with a status of 400 or more, or without a response.
    pub errors: u64,
}

impl KnownClientReport {
    pub fn of((name, ClientCount { requests, errors }): (String, ClientCount)) -> Self {
        Self { name, requests, errors }
    }
}

/// Enough to see who is busy.
const MAX_CLIENTS: usize = 200;
