//! `$batch` in JSON (OData 4.01): many requests in one, each answered as if it had come alone.
//!
//! As in the real service, a request that names no company falls back to the default one, whatever its neighbours name.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use hyper::{Method, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::address::{self, Address};
use super::batch_format::{self, Operation};
use super::books::Books;
use super::encoding::decoded;
use super::errors::Failure;
use super::representation::json_response;
use super::request::{Level, Place, Request};
use super::service::{self, Service};

/// What became of the requests so far.
#[derive(Default)]
struct Done {
    responses: Vec<Value>,
    /// Where what a request created or addressed is: `$id` in the addresses of later ones.
    addresses: BTreeMap<String, String>,
    /// Requests that failed, and their groups.
    failed: Vec<String>,
}

/// Answers a batch. It ends at the first failure, unless the client prefers to continue; `Isolation: snapshot` then undoes it all.
pub(super) fn answer(service: &Service, books: &mut Books, request: &Request) -> Result<Response<Bytes>, Failure> {
    if *request.method != Method::POST {
        return Err(Failure::Method(request.method.to_string()));
    }
    if request.media_type() != "application/json" {
        return Err(Failure::ContentType("application/json"));
    }
    let operations = batch_format::parse(&decoded(request)?)?;
    let continuing =
        ["odata.continue-on-error", "odata.continue-on-error=true", "continue-on-error", "continue-on-error=true"];
    let continues = continuing.iter().any(|preference| request.prefers(preference));
    let isolation = ["isolation", "odata-isolation"].iter().find_map(|name| request.headers.get(*name));
    let done = if isolation.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"snapshot")) {
        let all = books.all_or_nothing(|books| {
            let done = run(service, books, &operations, continues);
            if done.failed.is_empty() { Ok(done) } else { Err(done) }
        });
        all.unwrap_or_else(|undone| undone)
    } else {
        run(service, books, &operations, continues)
    };
    Ok(json_response(StatusCode::OK, Level::Minimal, &json!({"responses": done.responses})))
}

fn run(service: &Service, books: &mut Books, operations: &[Operation], continues: bool) -> Done {
    let mut done = Done::default();
    for operation in operations {
        let waits_in_vain = operation.depends_on.iter().any(|id| done.failed.contains(id));
        let response = if waits_in_vain { Err(Failure::Dependency) } else { execute(service, books, operation, &done) };
        let response = response.unwrap_or_else(|failure| failure.envelope());
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        done.addresses.insert(operation.id.clone(), location.unwrap_or(&operation.url).to_owned());
        let has_failed = !response.status().is_success();
        done.responses.push(written(&operation.id, response));
        if has_failed {
            done.failed.push(operation.id.clone());
            done.failed.extend(operation.group.clone());
            if !continues {
                break;
            }
        }
    }
    done
}

fn execute(
    service: &Service,
    books: &mut Books,
    operation: &Operation,
    done: &Done,
) -> Result<Response<Bytes>, Failure> {
    let url = match operation.url.strip_prefix('$').map(|rest| rest.split_once('/').unwrap_or((rest, ""))) {
        Some((id, rest)) if done.addresses.contains_key(id) => {
            let address = done.addresses.get(id).map_or("", String::as_str);
            format!("{address}/{rest}").trim_end_matches('/').to_owned()
        }
        _ => operation.url.clone(),
    };
    let (path, query) = url.split_once('?').unwrap_or((&url, ""));
    let segments = resolve(service.place, service.surface.path, path)?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let request = Request {
        method: &operation.method,
        headers: &operation.headers,
        query,
        body: Some(&operation.body),
        validated: None,
    };
    match service::route(service.place, &segments, request.level()) {
        Some((_, ["$batch"])) => Err(Failure::BadRequest("A batch can't hold a batch.".to_owned())),
        Some((target, rest)) if std::ptr::eq(target.surface, service.surface) => target.answer(books, rest, &request),
        _ => Err(Failure::UnknownSegment(path.to_owned())),
    }
}

/// What an address leads to below the environment: absolute, from the root of the server, or from that of the service.
fn resolve(place: &Place, service_path: &str, path: &str) -> Result<Vec<String>, Failure> {
    let own = path.strip_prefix(place.origin.as_str()).filter(|rest| rest.starts_with('/'));
    let from_root = match own {
        Some(from_root) => from_root,
        None if path.contains("://") || path.starts_with("//") => {
            return Err(Failure::BadRequest(format!("The address '{path}' belongs to another server.")));
        }
        None if path.starts_with('/') => path,
        None => return address::segments(&format!("{service_path}/{path}")),
    };
    let address = Address::parse(from_root)?;
    Place::check(place.settings, place.settings.tenant_id, &address)?;
    Ok(address.segments)
}

fn written(id: &str, response: Response<Bytes>) -> Value {
    let (head, body) = response.into_parts();
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers: Map<String, Value> =
        head.headers.iter().map(|(name, value)| (name.to_string(), Value::String(text(value)))).collect();
    let mut members = Map::new();
    members.insert("id".to_owned(), json!(id));
    members.insert("status".to_owned(), json!(head.status.as_u16()));
    members.insert("headers".to_owned(), Value::Object(headers));
    if !body.is_empty() {
        let content_type = head.headers.get(CONTENT_TYPE).map(text).unwrap_or_default();
        let value = if content_type.starts_with("application/json") {
            serde_json::from_slice(&body).unwrap_or_default()
        } else if content_type.starts_with("text/") || content_type.contains("xml") {
            json!(String::from_utf8_lossy(&body))
        } else {
            json!(URL_SAFE_NO_PAD.encode(&body))
        };
        members.insert("body".to_owned(), value);
    }
    Value::Object(members)
}
