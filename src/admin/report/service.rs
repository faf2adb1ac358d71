//! The whole report.

use std::collections::BTreeMap;

use serde::Serialize;
use time::OffsetDateTime;

use super::connector::ConnectorReport;
use super::format::rfc3339;
use super::requests::{ClientReport, ProblemReport, RequestsReport, RouteReport};
use crate::admin::control::{ConfigHistory, Status};
use crate::proxy::FairBudget;

#[derive(Debug, Serialize)]
pub struct Report {
    pub version: &'static str,
    pub started_at: String,
    pub uptime: f64,
    pub is_stopping: bool,
    pub configuration: ConfigHistory,
    pub listeners: Vec<String>,
    pub connections: ConnectionsReport,
    /// Wrong credentials of clients, by scheme.
    pub client_auth_failures: BTreeMap<&'static str, u64>,
    /// Log lines dropped because clients caused too many.
    pub log_lines_dropped: u64,
    /// What clients make bcproxy hold in memory.
    pub client_memory: BudgetReport,
    /// What clients make bcproxy hold on disk.
    pub spool: BudgetReport,
    pub connectors: Vec<ConnectorReport>,
    pub routes: Vec<RouteReport>,
    /// The clients of `clients` that have sent a request, by name.
    pub clients: Vec<ClientReport>,
    /// Requests that no route matches.
    pub unrouted: RequestsReport,
    /// The latest first.
    pub problems: Vec<ProblemReport>,
}

/// Clients' connections.
#[derive(Debug, Serialize)]
pub struct ConnectionsReport {
    pub open: usize,
    pub limit: usize,
    pub rejected: u64,
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
    pub fn of(status: &Status) -> Self {
        let Status { view, history, is_stopping } = status;
        let (open, limit) = view.connection_limit.connections();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            started_at: rfc3339(history.started_at),
            uptime: (OffsetDateTime::now_utc() - history.started_at).as_seconds_f64().max(0.0),
            is_stopping: *is_stopping,
            configuration: history.clone(),
            listeners: view.addresses.iter().map(ToString::to_string).collect(),
            connections: ConnectionsReport { open, limit, rejected: view.connection_limit.rejected() },
            client_auth_failures: view.failures.counts().map(|(scheme, count)| (scheme.as_str(), count)).collect(),
            log_lines_dropped: view.problems.line_limit.dropped(),
            client_memory: BudgetReport::of(&view.budgets.memory),
            spool: BudgetReport::of(&view.budgets.disk),
            connectors: view.connectors.iter().map(|connector| ConnectorReport::of(connector)).collect(),
            routes: view.routes.iter().map(|route| RouteReport::of(route)).collect(),
            clients: view.clients.counts().into_iter().map(ClientReport::of).collect(),
            unrouted: RequestsReport::of(view.unrouted.counts()),
            problems: view.problems.latest().into_iter().map(ProblemReport::of).collect(),
        }
    }
}
