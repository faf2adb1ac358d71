//! Made-up reports.

use std::collections::BTreeMap;
use std::time::Duration;

use time::OffsetDateTime;

use crate::admin::control::ConfigHistory;
use crate::admin::history::{HistoryPoint, POINT_INTERVAL};
use crate::admin::report::{
    ApplicationReport, BudgetReport, Checklist, ClientReport, CompanyReport, ConnectionsReport, ConnectorReport,
    LimiterReport, ProblemReport, Readiness, Report, RequestsReport, RouteReport, State, TokenReport,
};
use crate::proxy::{Condition, Counts};

/// A service with this many connectors, each with a route, all ready and without load.
pub fn report(connectors: usize) -> Report {
    Report {
        state: State::Ready,
        warnings: Vec::new(),
        version: "0.1.0",
        started_at: "2026-11-30T05:00:00Z".to_owned(),
        uptime: 7200.0,
        configuration: ConfigHistory {
            file: "/etc/bcproxy/proxy.yaml".into(),
            started_at: now(),
            loaded_at: now(),
            rejection: None,
            text: "".into(),
            warnings: None,
            reloads_applied: 2,
            reloads_rejected: 0,
        },
        listeners: vec!["http://127.0.0.1:8080".to_owned()],
        certificates: Vec::new(),
        connections: ConnectionsReport {
            open: 12,
            limit: 16_000,
            rejected: 0,
            rejected_by_reason: BTreeMap::new(),
            rejections: Vec::new(),
        },
        client_auth_failures: BTreeMap::new(),
        log_lines_dropped: 0,
        log_lines_unwritten: 0,
        otlp: None,
        shared_store: None,
        client_memory: budget(),
        spool: budget(),
        connectors: (0..connectors).map(connector).collect(),
        routes: (0..connectors).map(route).collect(),
        clients: Vec::new(),
        known_clients: Vec::new(),
        history: Vec::new(),
        unrouted: RequestsReport::of(Counts::default()),
        problems: Vec::new(),
    }
}

fn budget() -> BudgetReport {
    BudgetReport { used: 3 << 20, limit: 256 << 20, exhausted: 0 }
}

pub fn now() -> OffsetDateTime {
    time::macros::datetime!(2026-11-30 07:00:00 UTC)
}

fn connector(index: usize) -> ConnectorReport {
    let company = CompanyReport { name: "CRONUS International Ltd.".to_owned(), id: format!("{index:032x}") };
    ConnectorReport {
        name: format!("customer-{index:05}"),
        tenant: "customer.onmicrosoft.com".to_owned(),
        environment: "Production".to_owned(),
        readiness: Readiness::Ready { company: Some(company) },
        warnings: Vec::new(),
        checklist: Checklist::of(&Condition::Ready(None)),
        circuit_breaker_reason: None,
        applications: vec![ApplicationReport {
            client_id: format!("3f2504e0-4f89-41d3-9a0c-{index:012}"),
            token: Some(TokenReport { age: 600.0, usable_for: 3000.0 }),
            failure: None,
            credential_expires: None,
            tokens_received: 3,
            tokens_failed: 0,
            limiter: Some(limiter()),
            soap_limiter: Some(limiter()),
        }],
    }
}

fn limiter() -> LimiterReport {
    LimiterReport {
        in_flight: 1,
        concurrency: 5,
        queued: 0,
        window_requests: 1200,
        window_limit: 6000,
        window: 300.0,
        pause_remaining: None,
        rate_limited_since: None,
        rate_limited: None,
        all_replicas: None,
    }
}

/// The limiter of the API and OData requests of a report's first connector.
pub fn first_limiter(report: &mut Report) -> &mut LimiterReport {
    report.connectors[0].applications[0].limiter.as_mut().unwrap()
}

fn route(index: usize) -> RouteReport {
    RouteReport {
        path: format!("/customer-{index:05}"),
        to: "api/v2.0".to_owned(),
        connector: format!("customer-{index:05}"),
        environment: "Production".to_owned(),
        company: None,
        target: format!("api/v2.0, connector customer-{index:05}, environment Production"),
        cache: None,
        requests: RequestsReport::of(Counts::default()),
    }
}

/// An hour in which each point is the same.
pub fn hour(point: HistoryPoint) -> Vec<HistoryPoint> {
    (0..360).map(|index| HistoryPoint { at: now() - POINT_INTERVAL * (359 - index), ..point }).collect()
}

/// Ten seconds in which all is well.
pub fn calm() -> HistoryPoint {
    HistoryPoint {
        at: now(),
        requests_per_second: 4.0,
        errors_per_second: 0.0,
        p50: Some(Duration::from_millis(90)),
        p95: Some(Duration::from_millis(240)),
        queue_p95: Some(Duration::from_millis(1)),
        upstream_p95: Some(Duration::from_millis(230)),
        queued: 0,
        in_flight: 1,
        permits: 5,
    }
}

/// A client with this many requests in the last five minutes.
pub fn client(address: &str, user_agent: &str, recent_requests: u64) -> ClientReport {
    ClientReport {
        address: address.to_owned(),
        user_agent: Some(user_agent.to_owned()),
        identity: None,
        name: None,
        credentials: "ntlm",
        http: "1.1",
        requests: recent_requests * 10,
        errors: 0,
        recent_requests,
        recent_queue: recent_requests as f64 * 0.1,
        queued: 0,
        last_seen: "2026-11-30T06:59:58Z".to_owned(),
    }
}

/// A problem of a client.
pub fn problem(client: &str, path: &str, status: u16) -> ProblemReport {
    ProblemReport {
        at: "2026-11-30T06:59:50Z".to_owned(),
        count: 25,
        first_at: "2026-11-30T06:15:00Z".to_owned(),
        id: "9bdec862-8462-447f-95e3-31f774ebcb89".to_owned(),
        client: client.to_owned(),
        route: Some("/api".to_owned()),
        method: "GET".to_owned(),
        path: path.to_owned(),
        status,
        code: None,
        identity: None,
        client_id: Some("3f2504e0-4f89-41d3-9a0c-000000000000".to_owned()),
        bc_request_id: Some("req-1".to_owned()),
        bc_correlation_id: None,
        client_request_id: None,
        reason: "The environment offers nothing at this address. Check the spelling of the address.".to_owned(),
        explanation: Some("The address leads nowhere. Correct it in the client.".to_owned()),
    }
}
