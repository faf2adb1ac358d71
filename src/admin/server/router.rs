//! Which path leads where.

use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

use super::form::Form;
use super::text_response::TextResponse;
use crate::admin::control::Control;
use crate::admin::doctor::DoctorError;
use crate::admin::report::Report;
use crate::admin::{health, metrics, page};
use crate::secret::Secret;

/// The response to a request that may be answered.
pub async fn route(head: &Parts, body: Incoming, control: &Control) -> TextResponse {
    match (&head.method, head.uri.path()) {
        (&Method::POST, "/reload") => reload(control).await,
        (&Method::POST, "/stop") => stop(control).await,
        (&Method::POST, "/doctor") => doctor(head, body, control).await,
        (_, "/reload" | "/stop" | "/doctor") => TextResponse::method_not_allowed("POST", "Use POST for this path."),
        (&Method::GET | &Method::HEAD, path) => read(path, head.uri.query(), control).await,
        _ => TextResponse::method_not_allowed("GET, HEAD", "Use GET or HEAD for this path."),
    }
}

async fn reload(control: &Control) -> TextResponse {
    match control.reload().await {
        Ok(outcome) => TextResponse::plain(StatusCode::OK, outcome),
        Err(reason) => TextResponse::plain(StatusCode::UNPROCESSABLE_ENTITY, reason),
    }
}

async fn stop(control: &Control) -> TextResponse {
    control.stop().await;
    TextResponse::plain(StatusCode::ACCEPTED, health::STOPPING)
}

/// The findings about the connector that the form names, or about all.
async fn doctor(head: &Parts, body: Incoming, control: &Control) -> TextResponse {
    let form = match Form::read(&head.headers, body).await {
        Ok(form) => form,
        Err(error) => return error.response(),
    };
    let connector = form.field("connector").filter(|name| !name.expose().is_empty());
    match control.examine(connector.as_ref().map(Secret::expose)).await {
        Ok(findings) => TextResponse::plain(StatusCode::OK, findings.trim_end()),
        Err(error) => {
            let status = match error {
                DoctorError::Busy => StatusCode::CONFLICT,
                DoctorError::UnknownConnector => StatusCode::NOT_FOUND,
                DoctorError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            };
            TextResponse::plain(status, error.to_string())
        }
    }
}

/// The response to a GET, which changes nothing.
async fn read(path: &str, query: Option<&str>, control: &Control) -> TextResponse {
    let status = control.status();
    let report = || Report::of(&status, control.liveness().stalled(), control.history());
    match path {
        "/" => TextResponse::page(StatusCode::OK, page::page(&report())),
        "/style.css" => TextResponse::new(StatusCode::OK, "text/css; charset=utf-8", page::STYLE),
        // Neither can fail: they write numbers and strings to memory.
        "/status.json" => {
            let json = serde_json::to_string_pretty(&report()).unwrap_or_default();
            TextResponse::new(StatusCode::OK, "application/json", json + "\n")
        }
        "/configuration" => TextResponse::plain(StatusCode::OK, status.history.text.trim_end()),
        "/metrics" => {
            let text = metrics::metrics(report()).unwrap_or_default();
            TextResponse::new(StatusCode::OK, metrics::CONTENT_TYPE, text + "\n")
        }
        _ => {
            let (code, text) = health::health(path, query, &status, control).await;
            TextResponse::plain(code, text)
        }
    }
}
