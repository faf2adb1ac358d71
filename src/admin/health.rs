//! Health checks: whether the proxy can serve requests, and which connectors can.

use std::iter::repeat;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hyper::StatusCode;
use percent_encoding::percent_decode_str;

use super::control::{Control, Status};
use super::report::rfc3339;
use crate::proxy::Connector;

/// The response to a request below `/livez` and `/readyz`.
pub async fn health(path: &str, status: &Status, control: &Control) -> (StatusCode, String) {
    let connectors = &status.view.connectors[..];
    if let Some(stalled) = control.liveness().stalled() {
        let text = format!("The data path has run no task for {} s. Restart bcproxy.", stalled.as_secs());
        return (StatusCode::SERVICE_UNAVAILABLE, text);
    }
    match path {
        "/livez" => return (StatusCode::OK, "live".to_owned()),
        _ if status.is_stopping && path.starts_with("/readyz") => {
            return (StatusCode::SERVICE_UNAVAILABLE, STOPPING.to_owned());
        }
        "/readyz" => {
            let (code, mut text) = any_ready(connectors, control).await;
            text.extend(connectors.iter().map(|connector| rate_warnings(connector)));
            if let Some(reason) = &status.history.rejection {
                text += &format!("\n{FILE_REJECTED} {reason}");
            }
            return (code, text);
        }
        _ => {}
    }
    let Some(name) = path.strip_prefix("/readyz/").map(|name| percent_decode_str(name).decode_utf8_lossy()) else {
        return (StatusCode::NOT_FOUND, PATHS.to_owned());
    };
    match connectors.iter().find(|connector| connector.settings.name == name) {
        Some(connector) => match ready(connector, control).await {
            Ok(text) => (StatusCode::OK, text + &rate_warnings(connector)),
            Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason),
        },
        None => {
            let names: Vec<&str> = connectors.iter().map(|connector| connector.settings.name.as_str()).collect();
            (StatusCode::NOT_FOUND, format!("No connector has this name. The connectors are: {}.", names.join(", ")))
        }
    }
}

/// Ready as soon as one connector is; otherwise the reasons of all.
async fn any_ready(connectors: &[Arc<Connector>], control: &Control) -> (StatusCode, String) {
    let mut checks: FuturesUnordered<_> = connectors.iter().map(|connector| ready(connector, control)).collect();
    let mut reasons = Vec::new();
    while let Some(result) = checks.next().await {
        match result {
            Ok(text) => return (StatusCode::OK, text),
            Err(reason) => reasons.push(reason),
        }
    }
    (StatusCode::SERVICE_UNAVAILABLE, reasons.join("\n"))
}

async fn ready(connector: &Arc<Connector>, control: &Control) -> Result<String, String> {
    let name = &connector.settings.name;
    let asked = connector.clone();
    let ready = control.on_data_path(async move { asked.ready().await });
    match tokio::time::timeout(TIMEOUT, ready).await {
        Ok(None) => Err(STOPPING.to_owned()),
        Ok(Some(Ok(ready))) => {
            let company = match ready.company {
                Some(company) => format!("company {} ({})", company.name, company.id),
                None => "company named by the client".to_owned(),
            };
            let expiry = ready.expiry.map_or_else(String::new, |expiry| format!(". Warning: {expiry}."));
            Ok(format!("{name}: ready, token {} s old, {company}{expiry}", ready.token_age.as_secs()))
        }
        Ok(Some(Err(rejection))) => Err(format!("{name}: not ready. {}", rejection.message)),
        Err(_) => {
            Err(format!("{name}: not ready. Entra or Business Central has not responded for {} s.", TIMEOUT.as_secs()))
        }
    }
}

/// A line for each limiter whose rate keeps requests waiting.
fn rate_warnings(connector: &Connector) -> String {
    let name = &connector.settings.name;
    let limiters = connector.pool.members().flat_map(|member| {
        let others = member.limiter.iter().map(|limiter| ("API and OData requests", limiter));
        others.chain(member.soap_limiter.iter().map(|limiter| ("SOAP calls", limiter))).zip(repeat(member.client_id))
    });
    let warnings = limiters.filter_map(|((what, limiter), client_id)| {
        let since = rfc3339(limiter.state().rate_limited?.since);
        Some(format!(
            "\n{name}: Warning: {what} of application {client_id} have been waiting because of the rate limit since {since}."
        ))
    });
    warnings.collect()
}

pub(super) const STOPPING: &str = "bcproxy is stopping. It finishes the requests in flight.";

const FILE_REJECTED: &str =
    "The changed configuration file can't be used. The previous configuration stays in service.";

const PATHS: &str = "Use GET with /, /status.json, /metrics, /livez, /readyz or /readyz/{connector}, \
     or POST with /reload or /stop.";

/// Monitoring systems give up after a few seconds themselves.
const TIMEOUT: Duration = Duration::from_secs(4);
