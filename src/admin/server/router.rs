//! Which path leads where.

use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

use super::form::Form;
use super::respond::wants_page;
use super::text_response::TextResponse;
use crate::admin::access::Caller;
use crate::admin::control::Control;
use crate::admin::doctor::DoctorError;
use crate::admin::page::{self, PageQuery};
use crate::admin::report::Report;
use crate::admin::{health, metrics};
use crate::secret::Secret;

/// The response to a request that may be answered.
pub async fn route(head: &Parts, body: Incoming, control: &Control, caller: Caller) -> TextResponse {
    match (&head.method, head.uri.path()) {
        (&Method::POST, "/reload") => reload(head, control).await,
        (&Method::POST, "/stop") => stop(control).await,
        (&Method::POST, "/doctor") => doctor(head, body, control).await,
        (_, "/reload" | "/stop" | "/doctor") => TextResponse::method_not_allowed("POST", "Use POST for this path."),
        (&Method::GET | &Method::HEAD, path) => read(path, head.uri.query(), control, caller).await,
        _ => TextResponse::method_not_allowed("GET, HEAD", "Use GET or HEAD for this path."),
    }
}

async fn reload(head: &Parts, control: &Control) -> TextResponse {
    match control.reload().await {
        Ok(result) => outcome(head, StatusCode::OK, true, "The configuration is in service", result),
        Err(reason) => {
            outcome(head, StatusCode::UNPROCESSABLE_ENTITY, false, "The configuration stays unchanged", reason)
        }
    }
}

/// The outcome of an order: a page for a browser, plain text for others.
fn outcome(head: &Parts, status: StatusCode, is_good: bool, title: &str, text: String) -> TextResponse {
    if wants_page(head) {
        TextResponse::page(status, page::outcome(is_good, title, &text))
    } else {
        TextResponse::plain(status, text)
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
        Ok(findings) => {
            let is_good = !findings.contains('✗');
            let title = if is_good { "The checks found no mistake" } else { "The checks found a mistake" };
            outcome(head, StatusCode::OK, is_good, title, findings.trim_end().to_owned())
        }
        Err(error) => {
            let status = match error {
                DoctorError::Busy => StatusCode::CONFLICT,
                DoctorError::UnknownConnector => StatusCode::NOT_FOUND,
                DoctorError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            };
            outcome(head, status, false, "The set-up was not checked", error.to_string())
        }
    }
}

/// The response to a GET, which changes nothing.
async fn read(path: &str, query: Option<&str>, control: &Control, caller: Caller) -> TextResponse {
    let status = control.status();
    let report = || Report::of(&status, control.liveness().stalled(), control.history());
    match path {
        "/" => TextResponse::page(
            StatusCode::OK,
            page::page(&report(), &PageQuery::parse(query), caller == Caller::SignedIn),
        ),
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
        _ => match page::asset(path) {
            Some((content_type, text)) => TextResponse::new(StatusCode::OK, content_type, text),
            None => {
                let (code, text) = health::health(path, query, &status, control).await;
                TextResponse::plain(code, text)
            }
        },
    }
}
