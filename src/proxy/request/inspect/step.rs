//! The step that inspects bodies: what a body asks for is checked like an address, and local links in it become
//! upstream ones.
//!
//! Only JSON is inspected; every other body passes unchanged, whatever its size. JSON that can't be read is rejected
//! where a company has to be kept to. On a route that reaches any company, it passes as it came.

use std::sync::Arc;

use http_body::Body;
use hyper::Method;
use hyper::header::{CONTENT_ENCODING, HeaderMap};
use hyper::http::request::Parts;

use super::addresses::check_addresses;
use super::batch::check_batch;
use super::body_address::BodyContext;
use super::content_type::{ContentType, is_utf8};
use super::inspection::{Inspection, Loaded, MAX_BYTES, TOO_LARGE};
use super::subscriptions::check_subscription;
use crate::business_central::Dialect;
use crate::business_central::address::{Resource, SubscriptionKind};
use crate::business_central::body_addresses::Allowance;
use crate::config;
use crate::proxy::body::request_body::RequestBody;
use crate::proxy::budgets::fair_budget::Holder;
use crate::proxy::environment::changes::Extent;
use crate::proxy::environment::look_up::LookUp;
use crate::proxy::headers;
use crate::proxy::methods::{creates, methods, only_reads};
use crate::proxy::rejection::{Kind, Rejection};
use crate::proxy::request::company_choice::is_confined;
use crate::proxy::request::read_only::ReadOnly;
use crate::proxy::request::thread_pool::ThreadPool;
use crate::proxy::step::{Inspected, Routed};

/// The step that inspects bodies; the pool inspects large ones.
pub async fn inspect_request(routed: Routed<RequestBody>, pool: &ThreadPool) -> Result<Inspected, Rejection> {
    if needs_no_inspection(&routed) {
        return Ok(Inspected { routed, batch_changes: None });
    }
    // Boxed because reads need none: otherwise every request's future would be larger by it.
    Box::pin(inspect_body(routed, pool)).await
}

async fn inspect_body(routed: Routed<RequestBody>, pool: &ThreadPool) -> Result<Inspected, Rejection> {
    let Routed { exchange, route, known_as, resource, dialect, head, body, deadline } = routed;
    let memory = &exchange.memory;
    let read_only = ReadOnly::of(&route.settings, known_as.as_ref().and_then(|known| known.client.as_deref()));
    let inspection = match begin(&route.settings, read_only, &resource, dialect, &head, body, memory).await? {
        Begun::Passes(body) => {
            let routed = Routed { exchange, route, known_as, resource, dialect, head, body, deadline };
            return Ok(Inspected { routed, batch_changes: None });
        }
        Begun::Inspects(inspection) => inspection,
    };
    let routed = Routed { exchange: exchange.clone(), route, known_as, resource, dialect, head, body: (), deadline };
    if !inspection.is_large() {
        return finish(routed, inspection.load(memory).await?).await;
    }
    let inspected = async {
        // Meanwhile its client may have to give up what it holds.
        let thread = memory.or_evicted(pool.thread(exchange.ip)).await?;
        let loaded = inspection.load(memory).await?;
        let inspected = thread.run(finish(routed, loaded)).await;
        inspected.unwrap_or_else(|_| Err(Rejection::new(Kind::Internal, FAILED)))
    };
    tokio::select! {
        biased;
        inspected = inspected => inspected,
        () = exchange.abandoned() => Err(Rejection::client_left()),
    }
}

/// Carries an inspection out.
async fn finish(routed: Routed<()>, loaded: Loaded) -> Result<Inspected, Rejection> {
    let Routed { exchange, route, known_as, resource, dialect, mut head, body: (), deadline } = routed;
    let look_up = route.look_ups(deadline);
    let context = BodyContext {
        settings: &route.settings,
        environment: &route.connector.address,
        read_only: ReadOnly::of(&route.settings, known_as.as_ref().and_then(|known| known.client.as_deref())),
        look_up: &look_up,
        base_url: &exchange.base_url,
        request: &resource,
    };
    let (body, batch_changes) = loaded.finish(&context, &mut head, &exchange.memory).await?;
    let routed = Routed { exchange, route, known_as, resource, dialect, head, body, deadline };
    Ok(Inspected { routed, batch_changes })
}

/// Rejects what a head alone tells, before the client sends its body: a body that can't be inspected, or is too large.
pub fn inspect_head(
    settings: &config::Route,
    resource: &Resource,
    head: &Parts,
    body: &impl Body,
) -> Result<(), Rejection> {
    let Some(subject) = Subject::by_head(settings, resource, head, !body.is_end_stream())? else { return Ok(()) };
    if subject.may_be_unreadable(settings) {
        return Ok(());
    }
    let is_too_large = body.size_hint().lower() > MAX_BYTES as u64;
    match has_to_be_inflated(&head.headers)? {
        false if is_too_large => Err(Rejection::new(Kind::TooLarge, TOO_LARGE)),
        _ => Ok(()),
    }
}

/// What a body is inspected for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    Batch,
    /// `creates`: whether the request creates the subscription.
    Subscription {
        kind: SubscriptionKind,
        creates: bool,
    },
    Addresses,
}

/// Whether it is one of the many that only read.
fn needs_no_inspection(Routed { route, resource, head, body, .. }: &Routed<RequestBody>) -> bool {
    only_reads(&head.method)
        && body.is_end_stream()
        && matches!(Subject::by_head(&route.settings, resource, head, false), Ok(None))
}

/// Checks the body and returns it as it may be sent, and what it may change if it is a batch. The headers in `head`
/// change with the body.
pub async fn inspect(
    context: &BodyContext<'_, impl LookUp>,
    dialect: Dialect,
    head: &mut Parts,
    body: RequestBody,
    memory: &Arc<Holder>,
) -> Result<(RequestBody, Option<Extent>), Rejection> {
    match begin(context.settings, context.read_only, context.request, dialect, head, body, memory).await? {
        Begun::Passes(body) => Ok((body, None)),
        Begun::Inspects(inspection) => inspection.load(memory).await?.finish(context, head, memory).await,
    }
}

/// What becomes of a body.
enum Begun {
    Passes(RequestBody),
    Inspects(Inspection),
}

/// Decides whether a body is inspected.
async fn begin(
    settings: &config::Route,
    read_only: ReadOnly<'_>,
    resource: &Resource,
    dialect: Dialect,
    head: &Parts,
    body: RequestBody,
    memory: &Arc<Holder>,
) -> Result<Begun, Rejection> {
    let is_soap = resource.is_soap() || dialect == Dialect::Soap;
    if is_soap && head.method == Method::POST && body.is_end_stream() {
        return Err(Rejection::new(Kind::BadRequest, EMPTY_SOAP_CALL));
    }
    read_only.check_call(resource, &head.method, &body)?;
    let subject = Subject::by_head(settings, resource, head, !body.is_end_stream())?;
    let Some(subject) = subject else { return Ok(Begun::Passes(body)) };
    if subject.passes(&body, settings) {
        return Ok(Begun::Passes(body));
    }
    match has_to_be_inflated(&head.headers) {
        Ok(is_gzip) => Inspection::begin(subject, body, is_gzip, memory).await.map(Begun::Inspects),
        Err(_) if subject.may_be_unreadable(settings) => Ok(Begun::Passes(body)),
        Err(rejection) => Err(rejection),
    }
}

impl Subject {
    /// Whether this body passes without a check.
    fn passes(self, body: &RequestBody, settings: &config::Route) -> bool {
        // A large body is not read back from its file where it may pass.
        self != Self::Batch && body.is_end_stream()
            || self.may_be_unreadable(settings) && body.bytes().is_none_or(|bytes| bytes.len() > MAX_OPTIONAL_BYTES)
    }

    /// Whether a body that can't be read passes as it came: on a route that reaches any company, nothing in it has to
    /// be confined.
    pub fn may_be_unreadable(self, settings: &config::Route) -> bool {
        self != Self::Batch && !is_confined(settings)
    }

    /// What a body with this head is inspected for.
    ///
    /// On a confined route, whether a body is inspected can't depend on a `Content-Type` that Business Central may read
    /// otherwise.
    pub fn by_head(
        settings: &config::Route,
        resource: &Resource,
        head: &Parts,
        has_body: bool,
    ) -> Result<Option<Self>, Rejection> {
        let content_type = ContentType::of(&head.headers);
        if resource.is_batch() {
            return match (content_type, &head.method) {
                (ContentType::Json, &Method::POST) => Ok(Some(Self::Batch)),
                (_, &Method::POST) => Err(Rejection::new(Kind::UnsupportedMediaType, NOT_JSON)),
                _ => Err(Rejection::new(Kind::BadRequest, "Send a batch with POST.")),
            };
        }
        let is_confined = is_confined(settings);
        let is_json = match content_type {
            _ if !resource.accepts_json() => return Ok(None),
            ContentType::Json => true,
            ContentType::Ambiguous if is_confined && has_body => {
                return Err(Rejection::new(Kind::UnsupportedMediaType, AMBIGUOUS_TYPE));
            }
            ContentType::Other | ContentType::Ambiguous => false,
        };
        Ok(match resource.subscription {
            Some(kind) if is_confined || is_json && kind == SubscriptionKind::Webhook => {
                let methods: Vec<Method> = methods(&head.method, &head.headers).collect();
                Some(Self::Subscription { kind, creates: creates(&methods) })
            }
            None if is_json => Some(Self::Addresses),
            _ => None,
        })
    }

    /// The text as it may be sent, where it changes; and what it may change, if it is a batch.
    pub async fn check(
        self,
        body: &[u8],
        context: &BodyContext<'_, impl LookUp>,
    ) -> Result<(Option<String>, Option<Extent>), Rejection> {
        let text = match std::str::from_utf8(body) {
            Ok(text) => text,
            Err(_) if self.may_be_unreadable(context.settings) => return Ok((None, None)),
            Err(error) => {
                let message = format!("The body is not UTF-8: byte {} is wrong. {SEND_UTF8}", error.valid_up_to() + 1);
                return Err(Rejection::new(Kind::BadRequest, message));
            }
        };
        // Business Central skips a byte order mark, so it stays with the body.
        let (mark, text) = text.split_at(text.len() - text.trim_start_matches('\u{feff}').len());
        let (changed, may_change) = match self {
            Self::Batch => {
                let (text, changes) = check_batch(text, context).await?;
                (Some(text), Some(changes))
            }
            Self::Subscription { kind, creates } => {
                let allowance = &mut Allowance::default();
                (check_subscription(kind, creates, context.request, text, context, allowance).await?, None)
            }
            Self::Addresses => (check_addresses(text, context, &mut Allowance::default()).await?, None),
        };
        let marked = |changed| if mark.is_empty() { changed } else { format!("{mark}{changed}") };
        Ok((changed.map(marked), may_change))
    }
}

/// Whether a body with these headers has to be decompressed to be read.
fn has_to_be_inflated(headers: &HeaderMap) -> Result<bool, Rejection> {
    if !is_utf8(headers) {
        return Err(Rejection::new(Kind::UnsupportedMediaType, UNKNOWN_CHARSET));
    }
    let codings = headers::members(headers, &CONTENT_ENCODING).map(<[u8]>::to_ascii_lowercase);
    let mut codings = codings.filter(|coding| !matches!(coding.as_slice(), b"" | b"identity"));
    match (codings.next().as_deref(), codings.next()) {
        (None, _) => Ok(false),
        (Some(b"gzip" | b"x-gzip"), None) => Ok(true),
        _ => Err(Rejection::new(Kind::UnsupportedMediaType, UNKNOWN_CODING)),
    }
}

/// The largest body that is inspected where it may be unreadable.
const MAX_OPTIONAL_BYTES: usize = 1 << 20;

const FAILED: &str = "The check of the body failed. bcproxy's log has the reason.";

const EMPTY_SOAP_CALL: &str = "The SOAP call has no envelope and was not forwarded: the client expects a Digest or Windows challenge. \
     Configure it for Basic or anonymous authentication.";

const NOT_JSON: &str = "A batch must be JSON: Content-Type: application/json and {\"requests\": [ … ]}. multipart/mixed is not supported. \
     Change the client's batch format, or send the requests one by one.";

const AMBIGUOUS_TYPE: &str = "The Content-Type can be read in more than one way, so the body's company is not known. Send one media type in \
     ASCII, such as application/json; charset=utf-8.";

const UNKNOWN_CODING: &str = "The body's Content-Encoding is not supported. Send it uncompressed or with gzip.";

const UNKNOWN_CHARSET: &str = "The body's charset is not supported. Send JSON in UTF-8.";

const SEND_UTF8: &str = "Send JSON in UTF-8.";
