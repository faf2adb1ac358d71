//! A connector in service: whether it is ready, its tokens, and what its limiters hold back.

use serde::Serialize;
use time::Date;

use super::checklist::Checklist;
use super::format::{rfc3339, serialize_date};
use super::warnings::Warning;
use crate::entra::TokenState;
use crate::proxy::{Condition, Connector, Limiter, LimiterState, Member, Route};

#[derive(Debug, Serialize)]
pub struct ConnectorReport {
    pub name: String,
    pub tenant: String,
    pub environment: String,
    #[serde(flatten)]
    pub readiness: Readiness,
    /// What needs attention although the connector may be ready.
    pub warnings: Vec<Warning>,
    /// The steps of the set-up, as far as is known.
    #[serde(flatten)]
    pub checklist: Checklist,
    /// Why the circuit breaker is open: bcproxy does not connect to Business Central for now.
    pub circuit_breaker_reason: Option<String>,
    pub applications: Vec<ApplicationReport>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Readiness {
    /// `None` when clients name the company.
    Ready {
        company: Option<CompanyReport>,
    },
    /// Entra or Business Central has not responded yet.
    Waiting,
    NotReady {
        reason: String,
    },
}

#[derive(Debug, Serialize)]
pub struct CompanyReport {
    pub name: String,
    pub id: String,
}

#[derive(Debug, Serialize)]
pub struct ApplicationReport {
    pub client_id: String,
    pub token: Option<TokenReport>,
    /// Why the latest token request failed.
    pub failure: Option<TokenFailure>,
    /// The last day of the credential in use, where it is known.
    #[serde(serialize_with = "serialize_date")]
    pub credential_expires: Option<Date>,
    pub tokens_received: u64,
    pub tokens_failed: u64,
    /// The limiter of its API and OData requests; `None` with `limits: off`.
    pub limiter: Option<LimiterReport>,
    /// The limiter of its SOAP calls. All applications share `concurrency`.
    pub soap_limiter: Option<LimiterReport>,
}

#[derive(Debug, Serialize)]
pub struct TokenReport {
    pub age: f64,
    pub usable_for: f64,
}

#[derive(Debug, Serialize)]
pub struct TokenFailure {
    pub reason: String,
    pub retry_in: f64,
}

#[derive(Debug, Serialize)]
pub struct LimiterReport {
    pub in_flight: usize,
    /// The limit for `in_flight`.
    pub concurrency: usize,
    pub queued: usize,
    /// Requests started within the last `window` seconds.
    pub window_requests: usize,
    /// The limit for `window_requests`.
    pub window_limit: usize,
    pub window: f64,
    /// What is left of a pause that Business Central requested.
    pub pause_remaining: Option<f64>,
    /// Since when requests have been waiting because of the rate.
    pub rate_limited_since: Option<String>,
    /// How long they have.
    #[serde(skip)]
    pub rate_limited: Option<f64>,
    /// What all replicas use together; `None` while this replica shares nothing with others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub all_replicas: Option<AllReplicasReport>,
}

/// What all replicas use of a limiter, as the shared store last told.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct AllReplicasReport {
    pub in_flight: usize,
    /// Requests started within the last `window` seconds.
    pub window_requests: usize,
}

impl ConnectorReport {
    pub fn is_ready(&self) -> bool {
        matches!(self.readiness, Readiness::Ready { .. })
    }

    /// `routes`: its routes, at least those on which Business Central rejects an application.
    pub fn of(connector: &Connector, routes: &[&Route]) -> Self {
        let condition = connector.condition();
        Self {
            name: connector.settings.name.clone(),
            tenant: connector.address.tenant.to_string(),
            environment: connector.address.environment.to_string(),
            checklist: Checklist::of(&condition),
            readiness: match condition {
                Condition::Ready(company) => Readiness::Ready {
                    company: company
                        .map(|company| CompanyReport { name: company.name.to_string(), id: company.id.to_string() }),
                },
                Condition::Waiting => Readiness::Waiting,
                Condition::NotReady(rejection) => Readiness::NotReady { reason: rejection.message },
            },
            warnings: Warning::of_connector(connector, routes),
            circuit_breaker_reason: connector.upstream.open_circuit().map(|because| because.to_string()),
            applications: connector.pool.members().map(|member| ApplicationReport::of(member)).collect(),
        }
    }
}

impl ApplicationReport {
    fn of(member: &Member) -> Self {
        let TokenState { token, failure, last_day, received, failed } = member.tokens.state();
        Self {
            client_id: member.client_id.to_string(),
            token: token.map(|token| TokenReport {
                age: token.age().as_secs_f64(),
                usable_for: token.usable_for().as_secs_f64(),
            }),
            failure: failure.map(|failure| TokenFailure {
                retry_in: failure.retry_after().as_secs_f64(),
                reason: failure.to_string(),
            }),
            credential_expires: last_day,
            tokens_received: received,
            tokens_failed: failed,
            limiter: member.limiter.as_ref().map(LimiterReport::of),
            soap_limiter: member.soap_limiter.as_ref().map(LimiterReport::of),
        }
    }
}

impl LimiterReport {
    /// Whether it holds nothing back and has little to do: less than one in a hundred of the requests that it allows.
    ///
    /// bcproxy's own look-ups are such requests. At the start, all connectors have a few.
    pub fn is_idle(&self) -> bool {
        let holds_back = self.queued > 0 || self.pause_remaining.is_some() || self.rate_limited.is_some();
        self.in_flight == 0 && !holds_back && self.window_requests.saturating_mul(100) < self.window_limit
    }

    fn of(limiter: &Limiter) -> Self {
        let LimiterState { limits, in_flight, waiting, recent, paused_for, rate_limited, shared, .. } = limiter.state();
        let shared = shared.filter(|shared| shared.is_joined);
        Self {
            in_flight,
            concurrency: limits.concurrency,
            queued: waiting,
            window_requests: recent,
            window_limit: limits.requests.count,
            window: limits.requests.per.as_secs_f64(),
            pause_remaining: paused_for.map(|left| left.as_secs_f64()),
            rate_limited_since: rate_limited.map(|it| rfc3339(it.since)),
            rate_limited: rate_limited.map(|it| it.lasts.as_secs_f64()),
            all_replicas: shared
                .map(|shared| AllReplicasReport { in_flight: shared.in_flight, window_requests: shared.recent }),
        }
    }
}
