//! What is known of one request while it is under way: who, what, when; written by the steps, read by the log and by errors.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use hyper::http::request::Parts;
use hyper::{Method, Uri, Version};
use tokio::time::Instant;
use uuid::Uuid;

use crate::business_central::address::Resource;
use crate::business_central::{Dialect, Surface};
use crate::entra::ClientId;
use crate::proxy::cache::{Extent, Use};
use crate::proxy::downstream::client::ClientConnection;
use crate::proxy::environment::connector::Route;
use crate::proxy::headers;
use crate::proxy::request::company_choice::Companies;
use crate::proxy::request::credentials::Credentials;
use crate::proxy::request::odata_v3;
use crate::proxy::response::links;
use crate::proxy::snapshot::Snapshot;

/// One request and what became of it so far.
#[derive(Debug)]
pub struct Exchange {
    /// In the log, in `X-Request-Id` and, unless the client sent its own, in `client-request-id` upstream.
    pub id: Uuid,
    pub client: Arc<ClientConnection>,
    pub method: Method,
    /// As the client wrote it.
    pub uri: Uri,
    pub version: Version,
    pub credentials: Credentials,
    pub user_agent: Option<HeaderValue>,
    pub started: Instant,
    /// The configuration it is served by.
    pub snapshot: Arc<Snapshot>,
    speaks_soap: AtomicBool,
    reads_atom: bool,
    keeps_connection: bool,
    accepts_gzip: bool,
    /// Scheme and authority that lead this client to us.
    base: String,
    asked: OnceLock<(Resource, Companies)>,
    route: OnceLock<Arc<Route>>,
    application: Mutex<Option<ClientId>>,
    upstream: OnceLock<Duration>,
    token_age: OnceLock<Duration>,
    /// How long it waited for its turn first, and how many had theirs in that time.
    queued: OnceLock<(Duration, u64)>,
    attempts: AtomicU32,
    /// What the batch it is may change.
    batch_changes: OnceLock<Extent>,
    cache: OnceLock<Use>,
}

impl Exchange {
    pub fn new(client: Arc<ClientConnection>, head: &Parts, snapshot: Arc<Snapshot>) -> Self {
        Self {
            id: Uuid::new_v4(),
            method: head.method.clone(),
            uri: head.uri.clone(),
            version: head.version,
            credentials: Credentials::of(&head.headers),
            user_agent: head.headers.get(USER_AGENT).cloned(),
            started: Instant::now(),
            speaks_soap: AtomicBool::new(looks_like_soap(&head.headers)),
            reads_atom: odata_v3::reads_atom(&head.headers),
            keeps_connection: head.version == Version::HTTP_11 && !asks_to_close(&head.headers),
            accepts_gzip: headers::accepts_gzip(&head.headers),
            base: links::base(snapshot.public_url.as_ref(), &head.headers, client.scheme(), client.local_address()),
            asked: OnceLock::new(),
            snapshot,
            client,
            route: OnceLock::new(),
            application: Mutex::new(None),
            upstream: OnceLock::new(),
            token_age: OnceLock::new(),
            queued: OnceLock::new(),
            attempts: AtomicU32::new(0),
            batch_changes: OnceLock::new(),
            cache: OnceLock::new(),
        }
    }

    /// Notes the route that was chosen; the first choice stays.
    pub fn on_route(&self, route: &Arc<Route>) {
        let _ = self.route.set(route.clone());
    }

    /// Notes that the address is one of the SOAP services.
    pub fn is_soap(&self) {
        self.speaks_soap.store(true, Ordering::Relaxed);
    }

    /// Notes what is asked for, and in which companies.
    pub fn asks_for(&self, resource: Resource, companies: Companies) {
        let _ = self.asked.set((resource, companies));
    }

    pub fn asked(&self) -> Option<&(Resource, Companies)> {
        self.asked.get()
    }

    pub fn accepts_gzip(&self) -> bool {
        self.accepts_gzip
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    /// Notes the application it is to go out as; the latest choice counts.
    pub fn goes_as(&self, application: ClientId) {
        *self.application.lock().unwrap_or_else(PoisonError::into_inner) = Some(application);
    }

    /// As which application it was sent last, or waited to be sent; `None` if it did not come so far.
    pub fn application(&self) -> Option<ClientId> {
        *self.application.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how old the token was that was added first.
    pub fn authorized(&self, token_age: Duration) {
        let _ = self.token_age.set(token_age);
    }

    /// Notes how long Business Central took to begin its answer, or to fail; the first attempt stays.
    pub fn answered_upstream(&self, took: Duration) {
        let _ = self.upstream.set(took);
    }

    /// Notes how long it waited for its turn, and how many had theirs in that time; the first turn stays.
    pub fn queued(&self, waited: Duration, before: u64) {
        let _ = self.queued.set((waited, before));
    }

    pub fn queue(&self) -> Option<(Duration, u64)> {
        self.queued.get().copied()
    }

    /// Notes that it is sent, for the first time or once more.
    pub fn sends(&self) {
        self.attempts.fetch_add(1, Ordering::Relaxed);
    }

    /// How often it was sent.
    pub fn attempts(&self) -> u32 {
        self.attempts.load(Ordering::Relaxed)
    }

    /// Notes whose data the batch it is may change.
    pub fn batch_judged(&self, changes: Extent) {
        let _ = self.batch_changes.set(changes);
    }

    /// `None` when it is no batch that was judged.
    pub fn batch_changes(&self) -> Option<&Extent> {
        self.batch_changes.get()
    }

    /// Notes what the route's cache did for it; the first note stays.
    pub fn cached(&self, use_: Use) {
        let _ = self.cache.set(use_);
    }

    /// `None` on a route without one.
    pub fn cache(&self) -> Option<Use> {
        self.cache.get().copied()
    }

    pub fn route(&self) -> Option<&Arc<Route>> {
        self.route.get()
    }

    /// How long its answer's body may stand still, on either side.
    pub fn body_idle(&self) -> Duration {
        self.route().map_or_else(Default::default, |route| route.settings.timeouts).body_idle
    }

    pub fn upstream(&self) -> Option<Duration> {
        self.upstream.get().copied()
    }

    pub fn token_age(&self) -> Option<Duration> {
        self.token_age.get().copied()
    }

    /// Whether the request only reads, so that giving it up changes nothing.
    pub fn only_reads(&self) -> bool {
        only_reads(&self.method)
    }

    /// Whether the client means to send another request on its connection.
    pub fn keeps_connection(&self) -> bool {
        self.keeps_connection
    }

    /// Whether a client that closes its side has gone, and the request with it.
    ///
    /// One that said it would close, or can't keep a connection open, may only mean that it has no more to send.
    pub fn ends_with_its_client(&self) -> bool {
        self.only_reads() && self.keeps_connection
    }

    /// The form in which this client can read an error.
    pub fn dialect(&self) -> Dialect {
        let surface = self.route().map(|route| &route.settings.surface);
        dialect(surface, self.speaks_soap.load(Ordering::Relaxed), self.reads_atom)
    }
}

/// Whether a request with this method only reads.
pub fn only_reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// The form in which a client of this surface can read an error.
pub fn dialect(surface: Option<&Surface>, looks_like_soap: bool, reads_atom: bool) -> Dialect {
    match surface {
        Some(Surface::Soap) => Dialect::Soap,
        Some(Surface::Nav | Surface::Environment) | None if looks_like_soap => Dialect::Soap,
        _ if reads_atom => Dialect::Atom,
        _ => Dialect::OData,
    }
}

/// Whether these are a SOAP call's headers.
pub fn looks_like_soap(headers: &HeaderMap) -> bool {
    let is_xml = headers.get(CONTENT_TYPE).is_some_and(|kind| {
        let kind = kind.as_bytes();
        kind.starts_with(b"text/xml") || kind.starts_with(b"application/soap+xml")
    });
    is_xml || headers.contains_key("soapaction")
}

fn asks_to_close(headers: &HeaderMap) -> bool {
    let options = headers.get_all(CONNECTION).iter().flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    options.into_iter().any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
}
