//! Webhook subscriptions: whoever is to be notified must first answer a validation request.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Method, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use uuid::Uuid;

use super::books::Books;
use super::collection::Collection;
use super::errors::Failure;
use super::records::Change;
use super::request::Request;

/// How many an environment may have (BC, "Operational limits").
const LIMIT: usize = 200;

const LIFETIME: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// How long a receiver may take to answer the validation request.
const PATIENCE: Duration = Duration::from_secs(5);

/// Answers a request for the subscriptions. Creating and renewing wait until the receiver has been validated.
pub(super) fn answer(
    subscriptions: &Collection,
    books: &mut Books,
    key: Option<&str>,
    rest: &[&str],
    request: &Request,
) -> Result<Response<Bytes>, Failure> {
    match (request.method, key, rest) {
        (&Method::POST, None, []) => {
            let changes = subscriptions.changes(request)?;
            for field in ["notificationUrl", "resource"] {
                if text(&changes, field).is_none_or(str::is_empty) {
                    return Err(Failure::BadRequest(format!("The property '{field}' is missing.")));
                }
            }
            if books.records(subscriptions.owner, subscriptions.view.table)?.len() >= LIMIT {
                return Err(Failure::BadRequest(format!("There are {LIMIT} subscriptions already.")));
            }
            let changes = validated(changes, "", books, request)?;
            subscriptions.create(books, changes, request)
        }
        (&Method::PATCH, Some(key), []) => {
            let record = subscriptions.find(books, key)?.clone();
            request.check_tag(&record.etag(), true)?;
            let changes = subscriptions.changes(request)?;
            let changes = validated(changes, record.text("notificationUrl"), books, request)?;
            subscriptions.update(books, &record, changes, request)
        }
        _ => subscriptions.answer(books, key, rest, request),
    }
}

/// The changes and a new lifetime, provided the receiver has just been validated.
fn validated(
    mut changes: Vec<Change>,
    known_receiver: &str,
    books: &Books,
    request: &Request,
) -> Result<Vec<Change>, Failure> {
    let receiver = text(&changes, "notificationUrl").unwrap_or(known_receiver);
    if request.validated != Some(receiver) {
        return Err(Failure::NotValidated(receiver.to_owned()));
    }
    changes.push(("expirationDateTime", books.time_in(LIFETIME.as_secs())));
    Ok(changes)
}

fn text<'a>(changes: &'a [Change], column: &str) -> Option<&'a str> {
    changes.iter().find(|(known, _)| *known == column).and_then(|(_, value)| value.as_str())
}

/// Sends the validation request: the receiver must answer 200 and give the token back.
///
/// Only receivers on this machine and without TLS are asked: nothing the simulator does leaves it.
pub(super) async fn is_valid(receiver: &str) -> bool {
    tokio::time::timeout(PATIENCE, validate(receiver)).await.ok().flatten().is_some()
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
    let answer = async {
        let response = sender.send_request(request).await.ok()?;
        let status = response.status();
        let body = Limited::new(response.into_body(), token.len() + 2).collect().await.ok()?.to_bytes();
        (status == StatusCode::OK && body.trim_ascii() == token.as_bytes()).then_some(())
    };
    // The answer needs a connection that is driven, whichever of the two ends first.
    tokio::pin!(answer);
    tokio::select! {
        answer = &mut answer => answer,
        _ = connection => answer.await,
    }
}
