//! Health checks: whether the proxy can serve requests, and which connectors can.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hyper::StatusCode;
use percent_encoding::percent_decode_str;

use super::control::{Control, Status};
use super::report::{Assessment, ConnectorReport, Readiness, State, Warning};
use crate::proxy::{Connector, Route};

/// The response to a request below `/livez` and `/readyz`. `query`: `all` is strict.
pub async fn health(path: &str, query: Option<&str>, status: &Status, control: &Control) -> (StatusCode, String) {
    let connectors = &status.view.connectors[..];
    if let Some(stalled) = control.liveness().stalled() {
        // Without the report: what has stalled may hold a lock that the report waits for.
        let text = format!("{}\nWarning: {}", State::NotReady, Warning::stalled(stalled));
        return (StatusCode::SERVICE_UNAVAILABLE, text);
    }
    match path {
        "/livez" => (StatusCode::OK, "live".to_owned()),
        _ if !path.starts_with("/readyz") => (StatusCode::NOT_FOUND, PATHS.to_owned()),
        _ if status.is_stopping => (StatusCode::SERVICE_UNAVAILABLE, STOPPING.to_owned()),
        "/readyz" => {
            let is_ready = match query {
                Some("all") => all_ready(connectors, control).await,
                _ => any_ready(connectors, control).await,
            };
            (code(is_ready), lines(&Assessment::of(status, None)))
        }
        _ => one(path, status, control).await,
    }
}

/// The response to `/readyz/{connector}`.
async fn one(path: &str, status: &Status, control: &Control) -> (StatusCode, String) {
    let Some(name) = path.strip_prefix("/readyz/").map(|name| percent_decode_str(name).decode_utf8_lossy()) else {
        return (StatusCode::NOT_FOUND, PATHS.to_owned());
    };
    let connectors = &status.view.connectors[..];
    let Some(connector) = connectors.iter().find(|connector| connector.settings.name == name) else {
        let names: Vec<&str> = connectors.iter().map(|connector| connector.settings.name.as_str()).collect();
        return (
            StatusCode::NOT_FOUND,
            format!("No connector has this name. The connectors are: {}.", names.join(", ")),
        );
    };
    let is_ready = ready(connector, control).await;
    let of_connector = status.view.routes.iter().filter(|route| Arc::ptr_eq(&route.connector, connector));
    let routes: Vec<&Route> = of_connector.map(|route| &**route).collect();
    (code(is_ready), connector_lines(&ConnectorReport::of(connector, &routes)))
}

fn code(is_ready: bool) -> StatusCode {
    if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// Ready as soon as one connector is.
async fn any_ready(connectors: &[Arc<Connector>], control: &Control) -> bool {
    let checks: FuturesUnordered<_> = connectors.iter().map(|connector| ready(connector, control)).collect();
    checks.any(|is_ready| async move { is_ready }).await
}

async fn all_ready(connectors: &[Arc<Connector>], control: &Control) -> bool {
    let checks: FuturesUnordered<_> = connectors.iter().map(|connector| ready(connector, control)).collect();
    checks.all(|is_ready| async move { is_ready }).await
}

/// Whether a connector has what requests need. Asks Entra and Business Central if that is not known.
async fn ready(connector: &Arc<Connector>, control: &Control) -> bool {
    let asked = connector.clone();
    let ready = control.on_data_path(async move { asked.ready().await.is_ok() });
    matches!(tokio::time::timeout(TIMEOUT, ready).await, Ok(Some(true)))
}

/// The state, a line for each warning and each connector, the broken ones first.
fn lines(report: &Assessment) -> String {
    let mut lines = vec![report.state.to_string()];
    lines.extend(report.warnings.iter().map(|warning| format!("Warning: {warning}")));
    let mut connectors: Vec<&ConnectorReport> = report.connectors.iter().collect();
    connectors.sort_by_key(|connector| (connector.is_ready(), connector.warnings.is_empty()));
    let left_off = connectors.len().saturating_sub(MAX_CONNECTORS);
    lines.extend(connectors.into_iter().take(MAX_CONNECTORS).map(connector_lines));
    if left_off > 0 {
        lines.push(format!("… and {left_off} more connectors. `/status.json` has all of them."));
    }
    lines.join("\n")
}

/// A line for the connector's state, and one for each of its warnings.
fn connector_lines(connector: &ConnectorReport) -> String {
    let name = &connector.name;
    let state = match &connector.readiness {
        Readiness::Ready { company } => {
            let age = connector.applications.iter().filter_map(|one| one.token.as_ref()).map(|token| token.age);
            let age = age.reduce(f64::min).map_or_else(String::new, |age| format!(", token {age:.0} s old"));
            let company = match company {
                Some(company) => format!("company {} ({})", company.name, company.id),
                None => "company named by the client".to_owned(),
            };
            format!("{name}: ready{age}, {company}")
        }
        Readiness::Waiting => format!("{name}: not ready. Entra or Business Central has not responded yet."),
        Readiness::NotReady { reason } => format!("{name}: not ready. {reason}"),
    };
    let warnings = connector.warnings.iter().map(|warning| format!("{name}: Warning: {warning}"));
    std::iter::once(state).chain(warnings).collect::<Vec<_>>().join("\n")
}

pub(super) const STOPPING: &str = "bcproxy is stopping. It finishes the requests in flight.";

const PATHS: &str = "Use GET with /, /status.json, /configuration, /metrics, /livez, /readyz, /readyz?all or \
     /readyz/{connector}, or POST with /reload, /doctor or /stop.";

/// Monitoring systems show no more, and read no more.
const MAX_CONNECTORS: usize = 100;

/// Monitoring systems give up after a few seconds themselves.
const TIMEOUT: Duration = Duration::from_secs(4);
