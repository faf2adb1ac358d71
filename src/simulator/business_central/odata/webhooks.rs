//! Webhook subscriptions, and the validation of their receivers.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Method, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use uuid::Uuid;

use super::entity_set::EntitySet;
use crate::simulator::business_central::data::column_value::ColumnValue;
use crate::simulator::business_central::data::database::Database;
use crate::simulator::business_central::errors::BusinessCentralError;
use crate::simulator::business_central::request::ServiceRequest;

/// The maximum number of subscriptions in an environment (BC, "Operational limits").
const LIMIT: usize = 200;

/// The lifetime of a subscription.
const LIFETIME: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// The time limit of a validation request.
const VALIDATION_TIMEOUT: Duration = Duration::from_secs(5);

/// Answers a request for subscriptions. Creating and renewing fail until the receiver has been validated.
pub(super) fn respond(
    subscriptions: &EntitySet,
    database: &mut Database,
    key: Option<&str>,
    rest: &[&str],
    request: &ServiceRequest,
) -> Result<Response<Bytes>, BusinessCentralError> {
    match (request.method, key, rest) {
        (&Method::POST, None, []) => {
            let changes = subscriptions.changes(request)?;
            for field in ["notificationUrl", "resource"] {
                if text(&changes, field).is_none_or(str::is_empty) {
                    return Err(BusinessCentralError::BadRequest(format!("The property '{field}' is missing.")));
                }
            }
            if database.records(subscriptions.owner, subscriptions.view.table)?.len() >= LIMIT {
                return Err(BusinessCentralError::BadRequest(format!("There are {LIMIT} subscriptions already.")));
            }
            let changes = validated(changes, "", database, request)?;
            subscriptions.create(database, changes, request)
        }
        (&Method::PATCH, Some(key), []) => {
            let record = subscriptions.find(database, key)?.clone();
            request.check_tag(&record.etag())?;
            let changes = subscriptions.changes(request)?;
            let changes = validated(changes, record.text("notificationUrl"), database, request)?;
            subscriptions.update(database, &record, changes, request)
        }
        _ => subscriptions.respond(database, key, rest, request),
    }
}

/// The changes with a new expiry, if the receiver has just been validated.
fn validated(
    mut changes: Vec<ColumnValue>,
    known_receiver: &str,
    database: &Database,
    request: &ServiceRequest,
) -> Result<Vec<ColumnValue>, BusinessCentralError> {
    let receiver = text(&changes, "notificationUrl").unwrap_or(known_receiver);
    if request.validated != Some(receiver) {
        return Err(BusinessCentralError::NotValidated(receiver.to_owned()));
    }
    changes.push(("expirationDateTime", database.time_in(LIFETIME.as_secs())));
    Ok(changes)
}

fn text<'a>(changes: &'a [ColumnValue], column: &str) -> Option<&'a str> {
    changes.iter().find(|(known, _)| *known == column).and_then(|(_, value)| value.as_str())
}

/// Sends the validation request. The receiver must answer with 200 and return the token.
///
/// The simulator sends nothing to other machines: any receiver except plain HTTP on this machine is invalid.
pub async fn is_valid(receiver: &str) -> bool {
    tokio::time::timeout(VALIDATION_TIMEOUT, validate(receiver)).await.ok().flatten().is_some()
}

async fn validate(receiver: &str) -> Option<()> {
    let uri: Uri = receiver.parse().ok()?;
    let host = uri.host().filter(|host| matches!(*host, "localhost" | "127.0.0.1" | "[::1]"))?;
    if uri.scheme_str() != Some("http") {
        return None;
    }
    let stream = TcpStream::connect((host.trim_matches(['[', ']']), uri.port_u16().unwrap_or(80))).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    let token = Uuid::new_v4().to_string();
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let separator = if uri.query().is_some() { '&' } else { '?' };
    let request = hyper::Request::get(format!("{target}{separator}validationToken={token}"))
        .header(HOST, uri.authority()?.as_str())
        .body(Empty::<Bytes>::new())
        .ok()?;
    let exchange = async {
        let response = sender.send_request(request).await.ok()?;
        let status = response.status();
        let body = Limited::new(response.into_body(), token.len() + 2).collect().await.ok()?.to_bytes();
        (status == StatusCode::OK && body.trim_ascii() == token.as_bytes()).then_some(())
    };
    // The response arrives only while the connection is polled; either may end first.
    tokio::pin!(exchange);
    tokio::select! {
        result = &mut exchange => result,
        _ = connection => exchange.await,
    }
}
