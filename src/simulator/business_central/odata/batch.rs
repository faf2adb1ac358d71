//! `$batch` in JSON (OData 4.01): many requests in one, each answered like a request of its own.
//!
//! As in the real service, a request that names no company uses the default one, whatever the other requests name.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use hyper::{Method, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::batch_format::{self, BatchOperation};
use super::service::{self, ODataService};
use crate::simulator::business_central::address::{self, Address};
use crate::simulator::business_central::data::database::Database;
use crate::simulator::business_central::encoding::decoded;
use crate::simulator::business_central::environment::Environment;
use crate::simulator::business_central::errors::BusinessCentralError;
use crate::simulator::business_central::request::{MetadataLevel, ServiceRequest};
use crate::simulator::business_central::response::json_response;

/// The results of the requests so far.
#[derive(Default)]
struct BatchProgress {
    responses: Vec<Value>,
    /// The URL that each request created or addressed; later requests refer to it as `$id`.
    addresses: BTreeMap<String, String>,
    /// The IDs of failed requests and of their groups.
    failed: Vec<String>,
}

/// Executes a batch. It ends at the first failure unless the client prefers to continue. With `Isolation: snapshot`, a
/// failure
/// undoes all of it.
pub(super) fn respond(
    service: &ODataService,
    database: &mut Database,
    request: &ServiceRequest,
) -> Result<Response<Bytes>, BusinessCentralError> {
    if *request.method != Method::POST {
        return Err(BusinessCentralError::Method(request.method.to_string()));
    }
    if request.media_type() != "application/json" {
        return Err(BusinessCentralError::ContentType("application/json"));
    }
    let operations = batch_format::parse(&decoded(request)?)?;
    let continuing =
        ["odata.continue-on-error", "odata.continue-on-error=true", "continue-on-error", "continue-on-error=true"];
    let continues = continuing.iter().any(|preference| request.prefers(preference));
    let isolation = ["isolation", "odata-isolation"].iter().find_map(|name| request.headers.get(*name));
    let done = if isolation.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"snapshot")) {
        let all = database.transaction(|database| {
            let done = run(service, database, &operations, continues);
            if done.failed.is_empty() { Ok(done) } else { Err(done) }
        });
        all.unwrap_or_else(|undone| undone)
    } else {
        run(service, database, &operations, continues)
    };
    Ok(json_response(StatusCode::OK, MetadataLevel::Minimal, &json!({"responses": done.responses})))
}

fn run(
    service: &ODataService,
    database: &mut Database,
    operations: &[BatchOperation],
    continues: bool,
) -> BatchProgress {
    let mut done = BatchProgress::default();
    for operation in operations {
        let dependency_failed = operation.depends_on.iter().any(|id| done.failed.contains(id));
        let response = if dependency_failed {
            Err(BusinessCentralError::Dependency)
        } else {
            execute(service, database, operation, &done)
        };
        let response = response.unwrap_or_else(|failure| failure.envelope());
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        done.addresses.insert(operation.id.clone(), location.unwrap_or(&operation.url).to_owned());
        let has_failed = !response.status().is_success();
        done.responses.push(to_json(&operation.id, response));
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
    service: &ODataService,
    database: &mut Database,
    operation: &BatchOperation,
    done: &BatchProgress,
) -> Result<Response<Bytes>, BusinessCentralError> {
    let url = match operation.url.strip_prefix('$').map(|rest| rest.split_once('/').unwrap_or((rest, ""))) {
        Some((id, rest)) if done.addresses.contains_key(id) => {
            let address = done.addresses.get(id).map_or("", String::as_str);
            format!("{address}/{rest}").trim_end_matches('/').to_owned()
        }
        _ => operation.url.clone(),
    };
    let (path, query) = url.split_once('?').unwrap_or((&url, ""));
    let segments = resolve(service.environment, service.surface.path, path)?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let request = ServiceRequest {
        method: &operation.method,
        headers: &operation.headers,
        query,
        body: Some(&operation.body),
        validated: None,
    };
    match service::find(service.environment, &segments, request.level()) {
        Some((_, ["$batch"])) => Err(BusinessCentralError::BadRequest("A batch can't hold a batch.".to_owned())),
        Some((target, rest)) if std::ptr::eq(target.surface, service.surface) => {
            target.respond(database, rest, &request)
        }
        _ => Err(BusinessCentralError::UnknownSegment(path.to_owned())),
    }
}

/// The segments below the environment of a URL: absolute, relative to the server, or relative to the service.
fn resolve(environment: &Environment, service_path: &str, path: &str) -> Result<Vec<String>, BusinessCentralError> {
    let own = path.strip_prefix(environment.origin.as_str()).filter(|rest| rest.starts_with('/'));
    let from_root = match own {
        Some(from_root) => from_root,
        None if path.contains("://") || path.starts_with("//") => {
            return Err(BusinessCentralError::BadRequest(format!("The address '{path}' belongs to another server.")));
        }
        None if path.starts_with('/') => path,
        None => return address::segments(&format!("{service_path}/{path}")),
    };
    let address = Address::parse(from_root)?;
    Environment::check(environment.settings, environment.settings.tenant_id, &address)?;
    Ok(address.segments)
}

fn to_json(id: &str, response: Response<Bytes>) -> Value {
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
