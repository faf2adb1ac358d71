//! Routes, the requests counted for them, and the latest problems.

use std::collections::BTreeMap;

use serde::Serialize;

use super::format::rfc3339;
use crate::guide::{self, RejectionCode};
use crate::proxy::{CacheCounts, Counts, Outcome, Problem, Route};

#[derive(Debug, Serialize)]
pub struct RouteReport {
    pub path: String,
    pub to: String,
    pub connector: String,
    pub environment: String,
    /// `None` when clients name it.
    pub company: Option<String>,
    /// All of these in words.
    #[serde(skip)]
    pub target: String,
    /// `None` without a cache.
    pub cache: Option<CacheReport>,
    #[serde(flatten)]
    pub requests: RequestsReport,
}

/// What a route's cache did since the start of the process.
#[derive(Debug, Serialize)]
pub struct CacheReport {
    pub hit: u64,
    pub coalesced: u64,
    pub miss: u64,
    pub bypass: u64,
    /// The share of reads that needed no request of their own, from 0 to 1.
    pub hit_rate: Option<f64>,
}

impl CacheReport {
    fn of(counts: CacheCounts) -> Self {
        let CacheCounts { hits, coalesced, misses, bypassed } = counts;
        Self { hit: hits, coalesced, miss: misses, bypass: bypassed, hit_rate: counts.hit_rate() }
    }

    /// The counts by the value of the log field.
    pub fn by_result(&self) -> [(&'static str, u64); 4] {
        [("hit", self.hit), ("coalesced", self.coalesced), ("miss", self.miss), ("bypass", self.bypass)]
    }
}

/// Counts and means since the start of the process.
#[derive(Debug, Serialize)]
pub struct RequestsReport {
    pub requests: u64,
    /// Without the challenges of handshakes.
    pub by_status: BTreeMap<u16, u64>,
    /// Challenges that clients get before they sign in: responses with status 401 that are no errors.
    pub handshakes: u64,
    /// Responses that did not end normally, by outcome.
    pub incomplete: BTreeMap<&'static str, u64>,
    pub response_bytes: u64,
    pub retries: u64,
    pub mean_duration: Option<f64>,
    pub mean_upstream: Option<f64>,
    pub mean_queue: Option<f64>,
    #[serde(skip)]
    pub counts: Counts,
}

impl RouteReport {
    pub fn of(route: &Route) -> Self {
        let (settings, counts) = (&route.settings, route.tally.counts());
        Self {
            path: settings.path.to_string(),
            to: settings.surface.to_string(),
            connector: settings.connector.name.clone(),
            environment: settings.environment.to_string(),
            company: settings.company.as_ref().map(ToString::to_string),
            target: settings.target(),
            cache: settings.cache.map(|_| CacheReport::of(counts.cache)),
            requests: RequestsReport::of(counts),
        }
    }
}

impl RequestsReport {
    pub fn of(counts: Counts) -> Self {
        let (mut by_status, mut incomplete, mut handshakes) = (BTreeMap::new(), BTreeMap::new(), 0);
        for ((status, outcome), count) in &counts.responses {
            if *outcome == Outcome::Handshake {
                handshakes += count;
                continue;
            }
            if let Some(status) = status {
                *by_status.entry(status.as_u16()).or_default() += count;
            }
            if *outcome != Outcome::Complete {
                *incomplete.entry(outcome.as_str()).or_default() += count;
            }
        }
        Self {
            requests: counts.requests(),
            by_status,
            handshakes,
            incomplete,
            response_bytes: counts.bytes,
            retries: counts.retries,
            mean_duration: counts.total.mean().map(|mean| mean.as_secs_f64()),
            mean_upstream: counts.upstream.mean().map(|mean| mean.as_secs_f64()),
            mean_queue: counts.queue.mean().map(|mean| mean.as_secs_f64()),
            counts,
        }
    }

    /// Responses with a status from `first` to `first` + 99.
    pub fn in_class(&self, first: u16) -> u64 {
        self.by_status.range(first..first + 100).map(|(_, count)| count).sum()
    }
}

/// Equal requests that were rejected or failed.
#[derive(Debug, Serialize)]
pub struct ProblemReport {
    /// When the latest ended.
    pub at: String,
    /// How many they are.
    pub count: u64,
    /// When the first ended.
    pub first_at: String,
    /// The latest one's.
    pub id: String,
    pub client: String,
    pub route: Option<String>,
    pub method: String,
    pub path: String,
    pub status: u16,
    /// bcproxy's own code; `None` where Business Central rejected it.
    pub code: Option<&'static str>,
    /// Who the client is: the identity it has proven, or else the entry of `clients`.
    pub identity: Option<String>,
    /// The application of the last attempt, if the request was sent.
    pub client_id: Option<String>,
    /// The `request-id` of Business Central's response to the latest.
    pub bc_request_id: Option<String>,
    /// Its `ms-correlation-x`.
    pub bc_correlation_id: Option<String>,
    /// The `client-request-id` that the latest was sent with.
    pub client_request_id: Option<String>,
    pub reason: String,
    /// What the guide says about its code or, without one, its status: what it means, and what to do.
    #[serde(skip)]
    pub explanation: Option<String>,
}

impl ProblemReport {
    /// The identifiers that a ticket to Microsoft has to name, with the names of their headers.
    pub fn ids_for_microsoft(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let ids = [
            ("request-id", &self.bc_request_id),
            ("ms-correlation-x", &self.bc_correlation_id),
            ("client-request-id", &self.client_request_id),
        ];
        ids.into_iter().filter_map(|(name, id)| Some((name, id.as_deref()?)))
    }

    pub fn of(problem: Problem) -> Self {
        let Problem {
            count,
            first_at,
            at,
            id,
            client,
            route,
            method,
            path,
            status,
            code,
            identity,
            application,
            bc_request_id,
            bc_correlation_id,
            client_request_id,
            reason,
        } = problem;
        Self {
            at: rfc3339(at),
            count,
            first_at: rfc3339(first_at),
            id: id.to_string(),
            client: client.to_string(),
            route,
            method: method.to_string(),
            path,
            status: status.as_u16(),
            code: code.map(RejectionCode::as_str),
            identity,
            client_id: application.map(|application| application.to_string()),
            bc_request_id,
            bc_correlation_id,
            client_request_id,
            reason,
            explanation: match code {
                Some(code) => Some(code.explanation().to_string()),
                None => guide::http_status(status).map(str::to_owned),
            },
        }
    }
}
