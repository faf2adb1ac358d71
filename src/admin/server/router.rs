//! Which path leads where.

use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

use super::text_response::TextResponse;
use crate::admin::control::Control;
use crate::admin::report::Report;
use crate::admin::{health, metrics, page};

/// The response to a request that may be answered. [`Form::read`](super::form::Form::read) reads the body of a form.
pub async fn route(head: &Parts, _body: Incoming, control: &Control) -> TextResponse {
    match (&head.method, head.uri.path()) {
        (&Method::POST, "/reload") => reload(control).await,
        (&Method::POST, "/stop") => stop(control).await,
        (_, "/reload" | "/stop") => TextResponse::method_not_allowed("POST", "Use POST for this path."),
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

/// The response to a GET, which changes nothing.
async fn read(path: &str, query: Option<&str>, control: &Control) -> TextResponse {
    let status = control.status();
    let report = || Report::of(&status, control.liveness().stalled());
    match path {
        "/" => TextResponse::page(StatusCode::OK, page::page(&report())),
        "/style.css" => TextResponse::new(StatusCode::OK, "text/css; charset=utf-8", page::STYLE),
        // Neither can fail: they write numbers and strings to memory.
        "/status.json" => {
            let json = serde_json::to_string_pretty(&report()).unwrap_or_default();
            TextResponse::new(StatusCode::OK, "application/json", json + "\n")
        }
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
