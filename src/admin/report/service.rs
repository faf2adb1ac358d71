//! The whole report.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;

use super::assessment::{Assessment, State};
use super::clients::{ClientReport, KnownClientReport};
use super::connector::ConnectorReport;
use super::format::{rfc3339, serialize_time};
use super::otlp::OtlpReport;
use super::requests::{ProblemReport, RequestsReport, RouteReport};
use super::shared_store::SharedStoreReport;
use super::warnings::Warning;
use crate::admin::control::{ConfigHistory, Status};
use crate::admin::history::{History, HistoryPoint};
use crate::proxy::{ConnectionRejection, FairBudget, ListenerCertificate, View};
use crate::telemetry;

#[derive(Debug, Serialize)]
pub struct Report {
    pub state: State,
    /// What needs attention, but for what concerns a single connector.
    pub warnings: Vec<Warning>,
    pub version: &'static str,
    pub started_at: String,
    pub uptime: f64,
    pub configuration: ConfigHistory,
    pub listeners: Vec<String>,
    pub certificates: Vec<CertificateReport>,
    pub connections: ConnectionsReport,
    /// Wrong credentials of clients, by scheme.
    pub client_auth_failures: BTreeMap<&'static str, u64>,
    /// Log lines dropped because clients caused too many.
    pub log_lines_dropped: u64,
    /// Log lines lost because the log could not be written, or not fast enough.
    pub log_lines_unwritten: u64,
    /// What became of telemetry for a collector; `None` without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otlp: Option<OtlpReport>,
    /// The shared store; `None` if this is the only replica.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared_store: Option<SharedStoreReport>,
    /// What clients make bcproxy hold in memory.
    pub client_memory: BudgetReport,
    /// What clients make bcproxy hold on disk.
    pub spool: BudgetReport,
    pub connectors: Vec<ConnectorReport>,
    pub routes: Vec<RouteReport>,
    /// The clients that send requests, the busiest first.
    pub clients: Vec<ClientReport>,
    /// Those of the key `clients` that have sent a request, by name.
    pub known_clients: Vec<KnownClientReport>,
    /// The last hour, for the charts of the status page.
    #[serde(skip)]
    pub history: Vec<HistoryPoint>,
    /// Requests that no route matches.
    pub unrouted: RequestsReport,
    /// The latest first.
    pub problems: Vec<ProblemReport>,
}

/// A certificate that a listener presents.
#[derive(Debug, Serialize)]
pub struct CertificateReport {
    pub listener: String,
    #[serde(serialize_with = "serialize_time")]
    pub expires: OffsetDateTime,
    /// Whole days; negative once it has expired.
    pub days_left: i64,
}

impl CertificateReport {
    fn of(ListenerCertificate { listener, expires }: &ListenerCertificate) -> Self {
        let days_left = (*expires - OffsetDateTime::now_utc()).whole_days();
        Self { listener: listener.to_string(), expires: *expires, days_left }
    }
}

/// Clients' connections.
#[derive(Debug, Serialize)]
pub struct ConnectionsReport {
    pub open: usize,
    pub limit: usize,
    pub rejected: u64,
    /// The same by reason, without reasons that never occurred.
    pub rejected_by_reason: BTreeMap<&'static str, u64>,
    #[serde(skip)]
    pub rejections: Vec<(ConnectionRejection, u64)>,
}

impl ConnectionsReport {
    fn of(view: &View) -> Self {
        let (open, limit) = view.connection_limit.connections();
        let rejections: Vec<(ConnectionRejection, u64)> = view.rejected_connections.counts().collect();
        let occurred = rejections.iter().filter(|(_, count)| *count > 0);
        Self {
            open,
            limit,
            rejected: rejections.iter().map(|(_, count)| count).sum(),
            rejected_by_reason: occurred.map(|(why, count)| (why.as_str(), *count)).collect(),
            rejections,
        }
    }
}

/// A budget that clients share.
#[derive(Debug, Serialize)]
pub struct BudgetReport {
    /// In bytes.
    pub used: u64,
    /// In bytes.
    pub limit: u64,
    /// Requests rejected, or moved to disk, because it was full.
    pub exhausted: u64,
}

impl BudgetReport {
    fn of(budget: &FairBudget) -> Self {
        Self { used: budget.used(), limit: budget.limit(), exhausted: budget.rejections() }
    }
}

impl Report {
    /// `stalled`: how long the data path has run no task, if that is too long.
    pub fn of(status: &Status, stalled: Option<Duration>, history: &History) -> Self {
        let Status { view, history: config, .. } = status;
        let Assessment { state, warnings, shared_store, mut connectors } = Assessment::of(status, stalled);
        let routes: Vec<RouteReport> = view.routes.iter().map(|route| RouteReport::of(route)).collect();
        note_served(&mut connectors, &routes);
        Self {
            state,
            warnings,
            version: env!("CARGO_PKG_VERSION"),
            started_at: rfc3339(config.started_at),
            uptime: (OffsetDateTime::now_utc() - config.started_at).as_seconds_f64().max(0.0),
            configuration: config.clone(),
            listeners: view.addresses.iter().map(ToString::to_string).collect(),
            certificates: view.certificates.iter().map(CertificateReport::of).collect(),
            connections: ConnectionsReport::of(view),
            client_auth_failures: view.failures.counts().map(|(scheme, count)| (scheme.as_str(), count)).collect(),
            log_lines_dropped: view.records.problems.line_limit.dropped(),
            log_lines_unwritten: telemetry::unwritten_lines(),
            otlp: OtlpReport::of(&view.tracing),
            shared_store,
            client_memory: BudgetReport::of(&view.budgets.memory),
            spool: BudgetReport::of(&view.budgets.disk),
            connectors,
            routes,
            clients: ClientReport::all(&view.records.observed_clients),
            known_clients: view.records.client_counts.counts().into_iter().map(KnownClientReport::of).collect(),
            history: history.points(),
            unrouted: RequestsReport::of(view.records.unrouted.counts()),
            problems: view.records.problems.latest().into_iter().map(ProblemReport::of).collect(),
        }
    }
}

/// Completes the checklists of connectors whose routes have served requests.
fn note_served(connectors: &mut [ConnectorReport], routes: &[RouteReport]) {
    let serving = routes.iter().filter(|route| route.requests.in_class(200) > 0);
    let serving: HashSet<(&str, &str)> =
        serving.map(|route| (route.connector.as_str(), route.environment.as_str())).collect();
    for connector in connectors {
        if serving.contains(&(connector.name.as_str(), connector.environment.as_str())) {
            connector.checklist.note_served();
        }
    }
}
