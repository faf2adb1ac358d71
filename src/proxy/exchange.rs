//! The facts about one request, from its arrival to its log line.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{CONNECTION, HOST, HeaderMap, HeaderValue, UPGRADE_INSECURE_REQUESTS, USER_AGENT};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{Method, Uri, Version};
use tokio::time::Instant;
use uuid::Uuid;

use super::budgets::fair_budget::Holder;
use super::dialect::{dialect, looks_like_soap, reads_atom};
use super::downstream::bind::TermsInForce;
use super::downstream::client::ClientConnection;
use super::downstream::forwarded::{ForwardedError, client_behind};
use super::headers;
use super::methods::only_reads;
use super::notes::Notes;
use super::observe::observed_clients::ClientMarks;
use super::observe::stages::{Passed, Stage};
use super::request::authenticate::credentials::Credentials;
use super::snapshot::Snapshot;
use crate::business_central::{Dialect, ResponseIds};
use crate::telemetry::otlp::Trace;

/// One request and its response.
#[derive(Debug)]
pub struct Exchange {
    /// In the log, in `X-Request-Id` and, unless the client sent its own, in `client-request-id` upstream.
    pub id: Uuid,
    /// The id as a header's value.
    pub id_value: HeaderValue,
    /// The connection the request came on.
    pub client: Arc<ClientConnection>,
    /// The terms of its listener that the request is served by.
    pub listener: Arc<TermsInForce>,
    /// The address of the client: the connection's, or the one that a load balancer names.
    pub ip: IpAddr,
    /// Why the client behind a load balancer is not known; `ip` is then the load balancer's.
    pub forwarded_error: Option<ForwardedError>,
    /// What the client makes the proxy hold in memory for this request.
    pub memory: Arc<Holder>,
    /// The method as the client sent it.
    pub method: Method,
    /// The target as the client wrote it.
    pub uri: Uri,
    /// The client's HTTP version.
    pub version: Version,
    /// The credentials the client sent.
    pub credentials: Credentials,
    /// `User-Agent`.
    pub user_agent: Option<HeaderValue>,
    /// When the request's head arrived.
    pub started: Instant,
    /// The configuration it is served by.
    pub snapshot: Arc<Snapshot>,
    /// Whether the headers are a SOAP call's.
    pub looks_like_soap: bool,
    /// Whether the client reads errors as Atom.
    pub reads_atom: bool,
    /// Whether the client is a browser that shows the response as a page.
    pub shows_page: bool,
    /// Whether the client means to send another request on its connection.
    pub keeps_connection: bool,
    /// Whether the client accepts gzip.
    pub accepts_gzip: bool,
    /// Scheme and authority that lead this client to bcproxy.
    pub base_url: String,
    /// Its trace, if it is traced.
    pub trace: Option<Box<Trace>>,
    /// For the log and the counts.
    pub notes: Notes,
}

impl Exchange {
    /// The facts that a request's head and its connection tell.
    pub fn new(client: Arc<ClientConnection>, head: &Parts, snapshot: Arc<Snapshot>) -> Self {
        let listener = client.listener();
        let (ip, forwarded_error, memory) = origin(&client, &listener, &head.headers);
        let id = Uuid::new_v4();
        Self {
            id,
            id_value: headers::header_of(id),
            listener,
            ip,
            forwarded_error,
            memory,
            method: head.method.clone(),
            uri: head.uri.clone(),
            version: head.version,
            credentials: Credentials::of(&head.headers),
            user_agent: head.headers.get(USER_AGENT).cloned(),
            started: Instant::now(),
            looks_like_soap: looks_like_soap(&head.headers),
            reads_atom: reads_atom(&head.headers),
            shows_page: head.headers.contains_key(UPGRADE_INSECURE_REQUESTS),
            keeps_connection: head.version == Version::HTTP_11 && !asks_to_close(&head.headers),
            accepts_gzip: headers::accepts_gzip(&head.headers),
            base_url: base_url(&snapshot, head, &client),
            trace: snapshot.tracer.as_ref().and_then(|tracer| tracer.start(&head.headers)),
            notes: Notes::default(),
            snapshot,
            client,
        }
    }

    /// Whether the request only reads, so that canceling it changes nothing.
    pub fn only_reads(&self) -> bool {
        only_reads(&self.method)
    }

    /// Whether a client that closes its side has gone, and the request with it.
    ///
    /// One that announced `Connection: close`, or speaks HTTP/1.0, may only mean that it has no more to send.
    pub fn cancel_on_disconnect(&self) -> bool {
        self.only_reads() && self.keeps_connection
    }

    /// Completes when the client has left.
    ///
    /// Only for the time before anything is sent. A client that announced `Connection: close` may only mean that it has
    /// no more to send.
    pub async fn abandoned(&self) {
        if self.keeps_connection {
            self.client.closed_by_client().await;
        } else {
            std::future::pending().await
        }
    }

    /// Notes a stage that began at this time and ends now.
    pub fn note_stage(&self, stage: Stage, began: Instant) {
        self.note_stage_of(stage, began, began.elapsed());
    }

    /// Notes a stage that began at this time and took so long.
    pub fn note_stage_of(&self, stage: Stage, began: Instant, took: Duration) {
        self.notes.stages.note(Passed { stage, start: began.saturating_duration_since(self.started), took });
    }

    /// The identifiers of a response to this request.
    pub fn response_ids(&self, headers: &HeaderMap) -> Option<Box<ResponseIds>> {
        let sent = || match self.notes.client_request_id.get() {
            None => Some(self.id_value.clone()),
            Some(other) => other.clone(),
        };
        ResponseIds::of(headers).map(|ids| ids.sent_with(sent()))
    }

    /// The client's HTTP version, as the log writes it.
    pub fn http_version(&self) -> &'static str {
        if self.version == Version::HTTP_10 { "1.0" } else { "1.1" }
    }

    /// What tells its client from others.
    pub fn client_marks(&self) -> ClientMarks<'_> {
        ClientMarks { address: self.ip, user_agent: self.user_agent.as_ref(), identity: self.notes.identity() }
    }

    /// The form in which this client reads errors.
    pub fn dialect(&self) -> Dialect {
        if self.shows_page {
            return Dialect::Html;
        }
        self.notes.dialect().unwrap_or_else(|| dialect(None, self.looks_like_soap, self.reads_atom))
    }
}

/// The address of a request's client, why it is not known, and what it holds in memory.
fn origin(
    client: &ClientConnection,
    listener: &TermsInForce,
    headers: &HeaderMap,
) -> (IpAddr, Option<ForwardedError>, Arc<Holder>) {
    let peer = client.ip();
    match listener.forwarders.as_ref().filter(|forwarders| forwarders.contains(peer)) {
        None => (peer, None, client.memory.clone()),
        Some(forwarders) => match client_behind(headers, forwarders) {
            Ok(ip) => (ip, None, client.memory.budget().holder(ip)),
            Err(error) => (peer, Some(error), client.memory.clone()),
        },
    }
}

fn asks_to_close(headers: &HeaderMap) -> bool {
    headers::members(headers, &CONNECTION).any(|option| option.eq_ignore_ascii_case(b"close"))
}

/// `public_url` or, where there is none, scheme and authority as this client wrote them: they led it here once and will
/// again.
///
/// The authority of an absolute target counts before `Host` (RFC 9112, section 3.2.2). Without a usable one, as
/// HTTP/1.0 has none, it is the address the connection came in on.
fn base_url(snapshot: &Snapshot, head: &Parts, client: &ClientConnection) -> String {
    if let Some(public_url) = &snapshot.public_url {
        return public_url.to_string();
    }
    let scheme = client.scheme.as_str();
    let host = || head.headers.get(HOST)?.to_str().ok()?.parse::<Authority>().ok();
    match (head.uri.authority().cloned().or_else(host).filter(|host| !host.as_str().contains('@')), client.local) {
        (Some(host), _) => [scheme, "://", host.as_str()].concat(),
        (None, Some(address)) => format!("{scheme}://{address}"),
        (None, None) => format!("{scheme}://localhost"),
    }
}
