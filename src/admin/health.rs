//! Whether the proxy could answer a request now, and which connectors could.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hyper::StatusCode;
use percent_encoding::percent_decode_str;

use super::desk::Status;
use crate::proxy::Connector;

/// The answer to a question below `/livez` and `/readyz`.
pub async fn health(path: &str, status: &Status) -> (StatusCode, String) {
    let connectors = &status.view.connectors[..];
    match path {
        "/livez" => return (StatusCode::OK, "live".to_owned()),
        _ if status.is_stopping && path.starts_with("/readyz") => {
            return (
                StatusCode::SERVICE_UNAVAILABLE,
                "bcproxy is stopping: it finishes the requests under way.".to_owned(),
            );
        }
        "/readyz" => {
            let (code, text) = any_ready(connectors).await;
            return (
                code,
                [Some(text), status.history.unused.as_deref().map(still_before)]
                    .into_iter()
                    .flatten()
                    .collect::<Vec<_>>()
                    .join("\n"),
            );
        }
        _ => {}
    }
    let Some(name) = path.strip_prefix("/readyz/").map(|name| percent_decode_str(name).decode_utf8_lossy()) else {
        return (
            StatusCode::NOT_FOUND,
            "There is /, /status.json, /metrics, /livez, /readyz and /readyz/{connector}; POST /reload and POST /stop."
                .to_owned(),
        );
    };
    match connectors.iter().find(|destination| destination.settings.name == name) {
        Some(destination) => match ready(destination).await {
            Ok(text) => (StatusCode::OK, text),
            Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason),
        },
        None => {
            let names: Vec<&str> = connectors.iter().map(|destination| destination.settings.name.as_str()).collect();
            (StatusCode::NOT_FOUND, format!("There is no such connector; there are: {}.", names.join(", ")))
        }
    }
}

/// The first connector that is ready decides; only if none is, all are waited for.
async fn any_ready(connectors: &[Arc<Connector>]) -> (StatusCode, String) {
    let mut asked: FuturesUnordered<_> = connectors.iter().map(|destination| ready(destination)).collect();
    let mut reasons = Vec::new();
    while let Some(answer) = asked.next().await {
        match answer {
            Ok(text) => return (StatusCode::OK, text),
            Err(reason) => reasons.push(reason),
        }
    }
    (StatusCode::SERVICE_UNAVAILABLE, reasons.join("\n"))
}

async fn ready(destination: &Connector) -> Result<String, String> {
    let name = &destination.settings.name;
    match tokio::time::timeout(PATIENCE, destination.ready()).await {
        Ok(Ok(ready)) => {
            let company = match ready.company {
                Some(company) => format!("company {} ({})", company.name, company.id),
                None => "company named by the client".to_owned(),
            };
            let expiry = ready.expiry.map_or_else(String::new, |expiry| format!(". But {expiry}."));
            Ok(format!("{name}: ready, token {} s old, {company}{expiry}", ready.token_age.as_secs()))
        }
        Ok(Err(refusal)) => Err(format!("{name}: not ready. {}", refusal.message)),
        Err(_) => Err(format!(
            "{name}: not ready. Still waiting for Entra or Business Central after {} s.",
            PATIENCE.as_secs()
        )),
    }
}

/// Said beside an answer, as long as the file on disk is not what is in service.
fn still_before(reason: &str) -> String {
    format!("The configuration file was changed and can't be used; the one before is in service. {reason}")
}

/// Monitors give up after a few seconds themselves.
const PATIENCE: Duration = Duration::from_secs(4);
