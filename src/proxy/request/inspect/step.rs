//! Inspection: what a request's body asks for is judged like its address, and what leads here is turned to lead to Business Central.
//!
//! Only JSON that can hold addresses is looked into; every other body passes as it came, however large.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::Either;
use http_body::Body;
use hyper::Method;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use hyper::http::request::Parts;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::Service;

use super::addresses::judge_addresses;
use super::batch::judge_batch;
use super::body_address::Inside;
use super::subscriptions::{creates, judge_subscription};
use crate::business_central::Dialect;
use crate::business_central::address::{self, Resource};
use crate::business_central::body_addresses::may_hold_addresses;
use crate::config;
use crate::proxy::body::gunzip::Gunzip;
use crate::proxy::body::request_body::{RequestBody, gather};
use crate::proxy::cache::Extent;
use crate::proxy::environment::look_up::LookUp;
use crate::proxy::rejection::{Kind, Refusal};
use crate::proxy::request::company_choice::reach;
use crate::proxy::step::Routed;
use crate::proxy::{exchange, headers};

/// The step that looks into bodies.
#[derive(Debug, Clone)]
pub struct Inspect<S> {
    /// How many large bodies may be at hand at once.
    room: Arc<Semaphore>,
    inner: S,
}

/// What a body is looked into for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    Batch,
    /// `creates`: whether it is a new one.
    Subscription {
        kind: address::Subscription,
        creates: bool,
    },
    Addresses,
}

impl<S> Inspect<S> {
    /// `room` has [`LARGE_BODIES`] permits, shared by all requests.
    pub fn new(room: Arc<Semaphore>, inner: S) -> Self {
        Self { room, inner }
    }
}

impl<S> Service<Routed<RequestBody>> for Inspect<S>
where
    S: Service<Routed<RequestBody>, Error = Refusal, Future: Send> + Clone + Send + 'static,
{
    type Response = S::Response;
    type Error = Refusal;
    type Future = Either<S::Future, Pin<Box<dyn Future<Output = Result<S::Response, Refusal>> + Send>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, routed: Routed<RequestBody>) -> Self::Future {
        if has_nothing_to_judge(&routed) {
            return Either::Left(self.inner.call(routed));
        }
        let (room, mut inner) = (self.room.clone(), self.inner.clone());
        Either::Right(Box::pin(async move {
            let Routed { exchange, route, resource, mut head, body } = routed;
            let inside = Inside {
                settings: &route.settings,
                environment: &route.destination.address,
                look_up: &*route,
                base: exchange.base(),
                request: &resource,
            };
            let Inspected { body, batch } = inspect(&inside, exchange.dialect(), &mut head, body, room).await?;
            if let Some(changes) = batch {
                exchange.batch_judged(changes);
            }
            inner.call(Routed { exchange, route, resource, head, body }).await
        }))
    }
}

/// Whether it is one of the many that just read.
fn has_nothing_to_judge(Routed { route, resource, head, body, .. }: &Routed<RequestBody>) -> bool {
    exchange::only_reads(&head.method)
        && body.is_end_stream()
        && matches!(Subject::by_head(&route.settings, resource, head), Ok(None))
}

/// What was looked into.
#[derive(Debug)]
pub struct Inspected {
    /// As it may be sent.
    pub body: RequestBody,
    /// What a batch may change.
    pub batch: Option<Extent>,
}

impl From<RequestBody> for Inspected {
    fn from(body: RequestBody) -> Self {
        Self { body, batch: None }
    }
}

/// The body as it may be sent; its headers change with it.
pub async fn inspect(
    inside: &Inside<'_, impl LookUp>,
    dialect: Dialect,
    head: &mut Parts,
    mut body: RequestBody,
    room: Arc<Semaphore>,
) -> Result<Inspected, Refusal> {
    let is_soap = inside.request.is_soap() || dialect == Dialect::Soap;
    if is_soap && head.method == Method::POST && body.is_end_stream() {
        return Err(Refusal::new(Kind::BadRequest, EMPTY_SOAP_CALL));
    }
    let Some(subject) = Subject::by_head(inside.settings, inside.request, head)? else { return Ok(body.into()) };
    if subject.passes(&body, inside.settings) {
        return Ok(body.into());
    }
    let is_gzip = match is_gzip(&head.headers) {
        Err(_) if subject == Subject::Addresses && !is_confined(inside.settings) => return Ok(body.into()),
        known => known?,
    };
    let as_sent = body.again();
    let (bytes, permit) = at_hand(std::mem::take(&mut body), is_gzip, room).await?;
    let Judged { text, batch } = subject.judge(&bytes, inside).await?;
    let body = match (text, as_sent) {
        (None, Some(as_sent)) => as_sent,
        (judged, _) => {
            headers::of_changed_body(&mut head.headers);
            RequestBody::whole(judged.map_or(bytes, Bytes::from), permit)
        }
    };
    Ok(Inspected { body, batch })
}

/// What came of a judgement.
#[derive(Default)]
struct Judged {
    /// The body as it may be sent; `None` when that is how it came.
    text: Option<String>,
    batch: Option<Extent>,
}

/// The whole body, decoded.
async fn at_hand(
    body: RequestBody,
    is_gzip: bool,
    room: Arc<Semaphore>,
) -> Result<(Bytes, Option<Arc<OwnedSemaphorePermit>>), Refusal> {
    if let (RequestBody::Whole { bytes, _room: room }, false) = (&body, is_gzip)
        && bytes.len() <= BODY_LIMIT
    {
        return Ok((bytes.clone(), room.clone()));
    }
    // Never closed, so it is only the wait that counts.
    let permit = room.acquire_owned().await.ok().map(Arc::new);
    let gathered = match is_gzip {
        true => gather(Gunzip::new(body), BODY_LIMIT).await?,
        false => gather(body, BODY_LIMIT).await?,
    };
    gathered.map(|bytes| (bytes, permit)).ok_or_else(|| Refusal::new(Kind::TooLarge, TOO_LARGE))
}

impl Subject {
    /// Whether this body goes as it is.
    fn passes(self, body: &RequestBody, settings: &config::Route) -> bool {
        match self {
            Self::Batch => false,
            Self::Subscription { .. } => body.is_end_stream(),
            // Without a company of its own a route has nothing to guard: what is too large to be at hand streams on.
            Self::Addresses => body.is_end_stream() || body.is_large() && !is_confined(settings),
        }
    }

    /// What a body that comes with this head has to be looked into for.
    pub fn by_head(settings: &config::Route, resource: &Resource, head: &Parts) -> Result<Option<Self>, Refusal> {
        let is_json = is_json(&head.headers);
        if is_json && !is_like_ascii(&head.headers) {
            return Err(Refusal::new(Kind::UnsupportedMediaType, UNKNOWN_CHARSET));
        }
        if resource.is_batch() {
            return match (is_json, &head.method) {
                (true, &Method::POST) => Ok(Some(Self::Batch)),
                (false, &Method::POST) => Err(Refusal::new(Kind::UnsupportedMediaType, NOT_JSON)),
                _ => Err(Refusal::new(Kind::BadRequest, "A batch is sent with POST.")),
            };
        }
        Ok(match resource.subscription() {
            _ if !resource.takes_json() => None,
            Some(kind) if is_confined(settings) => {
                let methods: Vec<Method> = headers::methods(&head.method, &head.headers).collect();
                Some(Self::Subscription { kind, creates: creates(&methods) })
            }
            None if is_json => Some(Self::Addresses),
            _ => None,
        })
    }

    async fn judge(self, body: &[u8], inside: &Inside<'_, impl LookUp>) -> Result<Judged, Refusal> {
        let no_utf8 = || Refusal::new(Kind::BadRequest, NO_UTF8);
        // In UTF-16 every other byte of a name is one: it would be read there, and not be found here.
        if memchr::memchr(0, body).is_some() {
            return Err(no_utf8());
        }
        if self == Self::Addresses && !may_hold_addresses(body) {
            return Ok(Judged::default());
        }
        let text = std::str::from_utf8(body).map_err(|_| no_utf8())?;
        match self {
            Self::Batch => {
                let (text, changes) = judge_batch(text, inside).await?;
                Ok(Judged { text: Some(text), batch: Some(changes) })
            }
            Self::Subscription { kind, creates } => {
                judge_subscription(kind, creates, inside.request, text, inside).await?;
                Ok(Judged::default())
            }
            Self::Addresses => Ok(Judged { text: judge_addresses(text, inside).await?, batch: None }),
        }
    }
}

/// Whether requests of this route can't reach every company.
fn is_confined(settings: &config::Route) -> bool {
    !reach(settings).is_empty()
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_TYPE).iter().filter_map(|kind| kind.to_str().ok()).any(|kind| {
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        matches!(kind.as_str(), "application/json" | "text/json") || kind.ends_with("+json")
    })
}

/// Whether names in the body are spelled in it byte for byte, as in all encodings that extend ASCII.
fn is_like_ascii(headers: &HeaderMap) -> bool {
    let kinds = headers.get_all(CONTENT_TYPE).iter().filter_map(|kind| kind.to_str().ok());
    kinds.flat_map(|kind| kind.split(';').skip(1)).all(|parameter| match parameter.split_once('=') {
        Some((name, charset)) if name.trim().eq_ignore_ascii_case("charset") => {
            let charset = charset.trim().trim_matches('"').to_ascii_lowercase();
            ["utf-8", "utf8", "us-ascii", "iso-8859-", "windows-125"].iter().any(|known| charset.starts_with(known))
        }
        _ => true,
    })
}

fn is_gzip(headers: &HeaderMap) -> Result<bool, Refusal> {
    let codings =
        headers.get_all(CONTENT_ENCODING).iter().flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    let codings = codings.map(|coding| coding.trim_ascii().to_ascii_lowercase());
    let mut codings = codings.filter(|coding| !matches!(coding.as_slice(), b"" | b"identity"));
    match (codings.next().as_deref(), codings.next()) {
        (None, _) => Ok(false),
        (Some(b"gzip" | b"x-gzip"), None) => Ok(true),
        _ => Err(Refusal::new(Kind::UnsupportedMediaType, UNKNOWN_CODING)),
    }
}

/// The largest body that is looked into, decoded.
const BODY_LIMIT: usize = 16 << 20;

/// How many bodies that are larger than what is read ahead, or compressed, are at hand at once.
pub const LARGE_BODIES: usize = 8;

const TOO_LARGE: &str = "The body is larger than 16 MiB, too large to look for addresses that leave the route's company; send it in parts, \
     or through a route without `company`.";

const EMPTY_SOAP_CALL: &str = "The SOAP call came without its envelope and was not forwarded: the program waits to be asked for a Digest or Windows password. \
     Configure it for Basic or without authentication.";

const NOT_JSON: &str = "A batch is taken in JSON only: Content-Type: application/json and {\"requests\": [ … ]}. Have the program send it \
     so (multipart/mixed is not read), or send the requests one by one.";

const UNKNOWN_CODING: &str = "The body's Content-Encoding can't be undone here; send it uncompressed or with gzip.";

const UNKNOWN_CHARSET: &str = "The body's charset is not read here; send JSON in UTF-8.";

const NO_UTF8: &str = "The body is no UTF-8, which JSON has to be.";
