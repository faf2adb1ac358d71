//! Whether the service can serve requests, and what needs attention.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::connector::ConnectorReport;
use super::shared_store::SharedStoreReport;
use super::warnings::{Warning, WarningKind};
use crate::admin::control::Status;
use crate::proxy::{Connector, ListenerCertificate, Route, View};

/// What health checks ask for.
#[derive(Debug)]
pub struct Assessment {
    pub state: State,
    /// What needs attention, but for what concerns a single connector.
    pub warnings: Vec<Warning>,
    /// The shared store; `None` if this is the only replica.
    pub shared_store: Option<SharedStoreReport>,
    /// In the order of the file.
    pub connectors: Vec<ConnectorReport>,
}

/// The state of the whole service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// All connectors are ready, and nothing needs attention.
    Ready,
    /// At least one connector is ready, but something needs attention.
    Degraded,
    /// No connector is ready, or the data path is stalled.
    NotReady,
    /// It finishes the requests in flight.
    Stopping,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ready => "ready",
            Self::Degraded => "ready, but something needs attention",
            Self::NotReady => "not ready",
            Self::Stopping => "stopping",
        })
    }
}

impl Assessment {
    /// `stalled`: how long the data path has run no task, if that is too long.
    pub fn of(status: &Status, stalled: Option<Duration>) -> Self {
        let connectors = connectors(&status.view);
        let mut warnings: Vec<Warning> = stalled.map(Warning::stalled).into_iter().collect();
        warnings.extend(status.history.rejection.as_ref().map(|reason| rejection_warning(reason)));
        warnings.extend(status.view.certificates.iter().filter_map(certificate_warning));
        let shared_store = status.view.shared_store.as_ref().map(|store| SharedStoreReport::of(store.status()));
        warnings.extend(shared_store.as_ref().and_then(SharedStoreReport::warning));
        let needs_attention = |connector: &ConnectorReport| !connector.is_ready() || !connector.warnings.is_empty();
        let state = if status.is_stopping {
            State::Stopping
        } else if stalled.is_some() || !connectors.iter().any(ConnectorReport::is_ready) {
            State::NotReady
        } else if !warnings.is_empty() || connectors.iter().any(needs_attention) {
            State::Degraded
        } else {
            State::Ready
        };
        Self { state, warnings, shared_store, connectors }
    }
}

/// All connectors, in the order of the file.
fn connectors(view: &View) -> Vec<ConnectorReport> {
    let mut rejecting: HashMap<*const Connector, Vec<&Route>> = HashMap::new();
    for route in view.routes.iter().filter(|route| route.rejected_tokens.has_any()) {
        rejecting.entry(Arc::as_ptr(&route.connector)).or_default().push(route);
    }
    let report = |connector: &Arc<Connector>| {
        ConnectorReport::of(connector, rejecting.get(&Arc::as_ptr(connector)).map_or(&[], Vec::as_slice))
    };
    view.connectors.iter().map(report).collect()
}

fn certificate_warning(certificate: &ListenerCertificate) -> Option<Warning> {
    let reason = certificate.expiry_warning()?;
    Some(Warning::new(WarningKind::CertificateExpiry, reason).until(certificate.expires))
}

fn rejection_warning(reason: &str) -> Warning {
    const REJECTED: &str = "The changed configuration file can't be used. The previous configuration stays in service.";
    Warning::new(WarningKind::ConfigurationRejected, format!("{REJECTED}\n{reason}"))
}
