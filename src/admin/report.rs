//! How the service is doing, gathered at one moment: what the status page, its JSON form and the metrics have in common.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Serialize, Serializer};
use time::format_description::well_known::Rfc3339;
use time::{Date, OffsetDateTime};

use super::desk::Status;
use crate::entra::TokenState;
use crate::proxy::{self, Condition, Counts, Limiter, LimiterState, Member, Outcome, Problem, Route};

/// All of it. Times are RFC 3339 in UTC, durations seconds.
#[derive(Debug, Serialize)]
pub struct Report {
    pub version: &'static str,
    pub started: String,
    pub uptime: f64,
    pub is_stopping: bool,
    pub configuration: Configuration,
    pub listening: Vec<String>,
    pub connections: Connections,
    pub connectors: Vec<Connector>,
    pub routes: Vec<RouteReport>,
    /// Requests that no route is for, and steps of handshakes.
    pub unrouted: Requests,
    /// The latest first.
    pub problems: Vec<ProblemReport>,
}

#[derive(Debug, Serialize)]
pub struct Configuration {
    pub file: String,
    /// When what is in service was read.
    pub read: String,
    /// Why the file, as it is now, is not in service.
    pub unused: Option<String>,
    pub reloads_taken: u64,
    pub reloads_refused: u64,
}

#[derive(Debug, Serialize)]
pub struct Connections {
    pub open: usize,
    pub most: usize,
    pub refused: u64,
}

#[derive(Debug, Serialize)]
pub struct Connector {
    pub name: String,
    pub tenant: String,
    pub environment: String,
    #[serde(flatten)]
    pub state: State,
    /// Why nobody tries to connect to Business Central at the moment.
    pub cut_off: Option<String>,
    pub applications: Vec<Application>,
    /// What SOAP calls have to share; `None` with `limits: off`.
    pub soap: Option<GateReport>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// `None` when clients name the company.
    Ready {
        company: Option<CompanyReport>,
    },
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
pub struct Application {
    pub client_id: String,
    pub token: Option<TokenReport>,
    /// Why the latest request for a token failed.
    pub failure: Option<Failure>,
    /// The last day of the credential in use, where that is known.
    #[serde(serialize_with = "day")]
    pub last_day: Option<Date>,
    /// That this is soon, and what to do.
    pub ends_soon: Option<String>,
    pub tokens_received: u64,
    pub tokens_failed: u64,
    /// What its api and OData requests have to share; `None` with `limits: off`.
    pub gate: Option<GateReport>,
}

#[derive(Debug, Serialize)]
pub struct TokenReport {
    pub age: f64,
    pub usable_for: f64,
}

#[derive(Debug, Serialize)]
pub struct Failure {
    pub reason: String,
    pub retry_in: f64,
}

#[derive(Debug, Serialize)]
pub struct GateReport {
    pub in_work: usize,
    pub most_in_work: usize,
    pub waiting: usize,
    /// Begun within the last `period` seconds.
    pub recent: usize,
    pub most_recent: usize,
    pub period: f64,
    /// How long Business Central wants to be left alone yet.
    pub paused_for: Option<f64>,
}

#[derive(Debug, Serialize)]
pub struct RouteReport {
    pub path: String,
    pub to: String,
    pub connector: String,
    pub environment: String,
    /// `None` when clients name it.
    pub company: Option<String>,
    #[serde(flatten)]
    pub requests: Requests,
}

#[derive(Debug, Serialize)]
pub struct Requests {
    pub requests: u64,
    /// How often each status was answered.
    pub by_status: BTreeMap<u16, u64>,
    /// Answers that did not end as they should, by how they ended.
    pub unfinished: BTreeMap<&'static str, u64>,
    pub bytes: u64,
    pub sent_again: u64,
    pub mean_duration: Option<f64>,
    pub mean_upstream: Option<f64>,
    pub mean_queue: Option<f64>,
    #[serde(skip)]
    pub counts: Counts,
}

#[derive(Debug, Serialize)]
pub struct ProblemReport {
    pub at: String,
    pub id: String,
    pub client: String,
    pub route: Option<String>,
    pub method: String,
    pub path: String,
    pub status: u16,
    /// Of the application it was sent as last, if it came so far.
    pub client_id: Option<String>,
    pub reason: String,
}

impl Report {
    pub fn of(status: &Status) -> Self {
        let Status { view, history, is_stopping } = status;
        let (open, most) = view.connection_limit.connections();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            started: written(history.started),
            uptime: (OffsetDateTime::now_utc() - history.started).as_seconds_f64().max(0.0),
            is_stopping: *is_stopping,
            configuration: Configuration {
                file: history.file.display().to_string(),
                read: written(history.read),
                unused: history.unused.clone(),
                reloads_taken: history.taken,
                reloads_refused: history.refused,
            },
            listening: view.addresses.iter().map(ToString::to_string).collect(),
            connections: Connections { open, most, refused: view.connection_limit.rejected() },
            connectors: view.connectors.iter().map(|connector| Connector::of(connector)).collect(),
            routes: view.routes.iter().map(|route| RouteReport::of(route)).collect(),
            unrouted: Requests::of(view.unrouted.counts()),
            problems: view.problems.latest().into_iter().map(ProblemReport::of).collect(),
        }
    }
}

impl Connector {
    fn of(destination: &proxy::Connector) -> Self {
        let application = |member: &Member| {
            let TokenState { token, failure, last_day, received, failed } = member.tokens.state();
            Application {
                client_id: member.client_id.to_string(),
                token: token.map(|token| TokenReport {
                    age: token.age.as_secs_f64(),
                    usable_for: token.usable_for.as_secs_f64(),
                }),
                failure: failure.map(|failure| Failure {
                    retry_in: failure.retry_after().as_secs_f64(),
                    reason: failure.to_string(),
                }),
                last_day,
                ends_soon: member.tokens.expiry().map(|expiry| expiry.to_string()),
                tokens_received: received,
                tokens_failed: failed,
                gate: member.limiter.as_ref().map(GateReport::of),
            }
        };
        Self {
            name: destination.settings.name.clone(),
            tenant: destination.address.tenant().to_string(),
            environment: destination.address.environment().to_string(),
            state: match destination.condition() {
                Condition::Ready(company) => State::Ready {
                    company: company
                        .map(|company| CompanyReport { name: company.name.to_string(), id: company.id.to_string() }),
                },
                Condition::Waiting => State::Waiting,
                Condition::NotReady(refusal) => State::NotReady { reason: refusal.message },
            },
            cut_off: destination.upstream.open_circuit().map(|because| because.to_string()),
            applications: destination.pool.members().map(|member| application(member)).collect(),
            soap: destination.soap_limiter.as_ref().map(GateReport::of),
        }
    }
}

impl GateReport {
    fn of(gate: &Limiter) -> Self {
        let LimiterState { limits, in_flight: in_work, waiting, recent, paused_for } = gate.state();
        Self {
            in_work,
            most_in_work: limits.concurrency,
            waiting,
            recent,
            most_recent: limits.requests.count,
            period: limits.requests.per.as_secs_f64(),
            paused_for: paused_for.map(|left| left.as_secs_f64()),
        }
    }
}

impl RouteReport {
    fn of(route: &Route) -> Self {
        let settings = &route.settings;
        Self {
            path: settings.path.to_string(),
            to: settings.surface.to_string(),
            connector: settings.connector.name.clone(),
            environment: settings.environment.to_string(),
            company: settings.company.as_ref().map(ToString::to_string),
            requests: Requests::of(route.tally.counts()),
        }
    }
}

impl Requests {
    fn of(counts: Counts) -> Self {
        let (mut by_status, mut unfinished) = (BTreeMap::new(), BTreeMap::new());
        for ((status, outcome), count) in &counts.responses {
            *by_status.entry(status.as_u16()).or_default() += count;
            if !matches!(outcome, Outcome::Complete | Outcome::Handshake) {
                *unfinished.entry(outcome.as_str()).or_default() += count;
            }
        }
        Self {
            requests: counts.requests(),
            by_status,
            unfinished,
            bytes: counts.bytes,
            sent_again: counts.retries,
            mean_duration: counts.total.mean().map(|mean| mean.as_secs_f64()),
            mean_upstream: counts.upstream.mean().map(|mean| mean.as_secs_f64()),
            mean_queue: counts.queue.mean().map(|mean| mean.as_secs_f64()),
            counts,
        }
    }

    /// How many were answered with a status from `first` to 99 above it.
    pub fn with_status_from(&self, first: u16) -> u64 {
        self.by_status.range(first..first + 100).map(|(_, count)| count).sum()
    }
}

impl ProblemReport {
    fn of(problem: Problem) -> Self {
        let Problem { at, id, client, route, method, path, status, application, reason } = problem;
        Self {
            at: written(at),
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

fn written(time: OffsetDateTime) -> String {
    time.replace_nanosecond(0).unwrap_or(time).format(&Rfc3339).unwrap_or_default()
}

/// As it is written in proxy.yaml: `2027-05-01`.
fn day<S: Serializer>(day: &Option<Date>, serializer: S) -> Result<S::Ok, S::Error> {
    day.map(|day| day.to_string()).serialize(serializer)
}

/// In words, to the two units that matter: `3 d 4 h`, `12 s`.
pub fn in_words(seconds: f64) -> String {
    let seconds = Duration::try_from_secs_f64(seconds).unwrap_or_default().as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match () {
        () if days > 0 => format!("{days} d {} h", hours % 24),
        () if hours > 0 => format!("{hours} h {} min", minutes % 60),
        () if minutes > 0 => format!("{minutes} min"),
        () => format!("{seconds} s"),
    }
}
