//! The stand-in for Business Central online: API, OData V4 and SOAP over one set of books.
//!
//! A request walks `address` → `service` → `collection` or `media` → `books`, or `soap` → an operation → `books`.

mod address;
mod batch;
mod batch_format;
mod books;
mod catalogue;
mod collection;
mod encoding;
mod errors;
mod files;
mod filter;
mod limits;
mod media;
mod metadata;
mod query;
mod records;
mod representation;
mod request;
mod schema;
mod seed;
mod service;
mod soap;
mod tools;
mod webhooks;

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HOST, HeaderValue, SET_COOKIE};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Response, StatusCode};
use uuid::Uuid;

use self::address::Address;
use self::books::{Books, Owner};
use self::errors::Failure;
pub(super) use self::limits::Share;
use self::limits::{Limited, Work};
use self::records::Records;
use self::request::{BODY_LIMIT, Place, Request};
use super::answer::{self, AnswerBody};
use super::breakage::{self, Breakage};
use super::entra::{Issued, Tokens};
use super::listener::{Break, Connection, Service};
use super::record::{Entry, Received, Recorder};
use super::script::{Matcher, Script, Scripted, Scripts};
use super::settings::Settings;
use super::sync::lock;
use super::times::Times;

/// Business Central's switches and counters.
pub struct BusinessCentral {
    settings: Settings,
    /// Host and port in links for clients that name none.
    host: String,
    tokens: Arc<Tokens>,
    books: Mutex<Books>,
    recorder: Recorder,
    scripts: Scripts,
    refusals: Mutex<Times>,
    work: Arc<Work>,
    disabled: Mutex<HashSet<Uuid>>,
}

impl BusinessCentral {
    pub(super) fn new(settings: &Settings, base_url: &str, tokens: Arc<Tokens>) -> Self {
        Self {
            host: base_url.trim_start_matches("https://").to_owned(),
            tokens,
            books: Mutex::new(seed::books(settings, base_url)),
            recorder: Recorder::new(settings.request_log_limit),
            scripts: Scripts::default(),
            refusals: Mutex::new(Times::Next(0)),
            work: Arc::new(Work::new(settings.limits)),
            disabled: Mutex::default(),
            settings: settings.clone(),
        }
    }

    /// Answers matching requests by a script. Scripts are tried in the order they were given.
    pub fn script(&self, matcher: Matcher, times: Times, script: Script) {
        self.scripts.add(matcher, times, script);
    }

    /// Takes all scripts away. Answers already begun are played to their end.
    pub fn clear_scripts(&self) {
        self.scripts.clear();
    }

    /// Closes so many of the connections to come at once, before a byte is exchanged; `Times::Next(0)` ends that.
    pub fn reject_connections(&self, times: Times) {
        *lock(&self.refusals) = times;
    }

    /// Sets the state of an application's card: all are enabled at first, and of a disabled one every token is refused.
    pub fn set_application_enabled(&self, client_id: Uuid, is_enabled: bool) {
        let mut disabled = lock(&self.disabled);
        if is_enabled {
            disabled.remove(&client_id)
        } else {
            disabled.insert(client_id)
        };
    }

    /// Records created, changed or deleted so far, in all companies.
    pub fn writes(&self) -> u64 {
        lock(&self.books).writes
    }

    /// How often a method of the codeunit `Tools` was executed.
    pub fn codeunit_calls(&self, method: &str) -> u64 {
        lock(&self.books).codeunit_calls.get(method).copied().unwrap_or(0)
    }

    /// How many requests were too many.
    pub fn throttled(&self) -> u64 {
        self.work.refused()
    }

    /// The most requests that were in work at once, of one application or over SOAP.
    pub fn peak_concurrency(&self) -> usize {
        self.work.peak_concurrency()
    }

    /// How many customers the company of this name has; `None` when there is no such company.
    pub fn customers(&self, company: &str) -> Option<usize> {
        let books = lock(&self.books);
        let company = books.companies.iter().position(|known| known.name == company)?;
        books.records(Owner::Company(company), &catalogue::CUSTOMER).ok().map(Records::len)
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.recorder.received()
    }

    pub(super) async fn wait_for(&self, predicate: impl FnMut(&[Received]) -> bool) {
        self.recorder.wait_for(predicate).await;
    }

    fn token(&self, headers: &HeaderMap) -> Option<Issued> {
        let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
        let token = self.tokens.accepted(token).filter(|_| scheme.eq_ignore_ascii_case("bearer"))?;
        (!lock(&self.disabled).contains(&token.client_id)).then_some(token)
    }

    /// Whether a request is within the limits; one without a token is nobody's.
    fn begin_work(&self, head: &Parts, token: Option<&Issued>, entry: &mut Entry) -> bool {
        let Some(token) = token else { return true };
        let is_soap = Address::parse(head.uri.path())
            .is_ok_and(|address| address.segments.first().is_some_and(|family| family.eq_ignore_ascii_case("WS")));
        let of = if is_soap { Limited::Environment } else { Limited::Application(token.client_id) };
        match self.work.begin(of) {
            Some(share) => {
                entry.in_work(share);
                true
            }
            None => false,
        }
    }

    /// What Business Central answers of its own accord.
    async fn ordinary_answer(&self, head: &Parts, token: Option<&Issued>, body: Option<&Bytes>) -> Response<Bytes> {
        let mut result = self.attempt(head, token, body, None);
        if let Err(Failure::NotValidated(receiver)) = &result
            && webhooks::is_valid(receiver).await
        {
            let receiver = receiver.clone();
            result = self.attempt(head, token, body, Some(&receiver));
        }
        let response = result.unwrap_or_else(|failure| failure.envelope());
        let mut response = encoding::encode(response, head, &self.settings);
        let headers = response.headers_mut();
        breakage::misdate(self.settings.broken, headers);
        headers.insert(SET_COOKIE, HeaderValue::from_static("ARRAffinity=simulator; Path=/; HttpOnly; Secure"));
        for name in ["request-id", "ms-correlation-x"] {
            if let Ok(id) = HeaderValue::from_str(&Uuid::new_v4().to_string()) {
                headers.insert(name, id);
            }
        }
        response
    }

    /// Does what a request asks for. `validated` is the webhook receiver that has just answered the validation request.
    fn attempt(
        &self,
        head: &Parts,
        token: Option<&Issued>,
        body: Option<&Bytes>,
        validated: Option<&str>,
    ) -> Result<Response<Bytes>, Failure> {
        let token =
            token.filter(|_| self.settings.broken != Some(Breakage::Card)).ok_or(Failure::InvalidCredentials)?;
        let address = Address::parse(head.uri.path())?;
        Place::check(&self.settings, token.tenant_id, &address)?;
        let host = head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or(&self.host);
        let place = Place::new(&self.settings, host, &address);
        let query = head.uri.query().unwrap_or_default();
        let request = Request { method: &head.method, headers: &head.headers, query, body, validated };
        let segments: Vec<&str> = address.segments.iter().map(String::as_str).collect();
        let mut books = lock(&self.books);
        if let Some((service, rest)) = service::route(&place, &segments, request.level()) {
            return service.answer(&mut books, rest, &request);
        }
        match segments.as_slice() {
            [family, rest @ ..] if family.eq_ignore_ascii_case("WS") => {
                soap::answer(&mut books, &place, rest, &request)
            }
            segments => Err(Failure::UnknownSegment(segments.join("/"))),
        }
    }
}

impl Service for BusinessCentral {
    type Body = AnswerBody;

    fn admits_connection(&self) -> bool {
        !lock(&self.refusals).take()
    }

    async fn answer(
        self: Arc<Self>,
        request: hyper::Request<Incoming>,
        connection: Connection,
    ) -> Response<AnswerBody> {
        let (head, body) = request.into_parts();
        let token = self.token(&head.headers);
        let mut entry = self.recorder.begin(&head, connection.number, token.as_ref().map(|token| token.client_id));
        let script = match self.begin_work(&head, token.as_ref(), &mut entry) {
            true => self.scripts.take(&head, token.is_some()).unwrap_or_else(Script::ordinary),
            false => Script::busy(StatusCode::TOO_MANY_REQUESTS, None),
        };

        let mut kept = None;
        if script.reads_request {
            match read(body, &mut entry).await {
                Ok(body) => kept = body,
                Err(_) => return never(connection.break_off(Break::Cut).await),
            }
        }
        let scripted = match script.scripted {
            Some(scripted) => scripted,
            None => {
                let answer = self.ordinary_answer(&head, token.as_ref(), kept.as_ref()).await;
                Scripted::ordinary(answer, script.cut_after)
            }
        };
        if let Some(latch) = script.latch {
            latch.opened().await;
        }
        if let Some(how) = script.breaks {
            return never(connection.break_off(how).await);
        }
        let status = scripted.status.as_u16();
        tracing::debug!(target: "bcproxy::simulator", method = %head.method, path = head.uri.path(), status, "Business Central");
        let has_no_body = matches!(scripted.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        answer::play(scripted, has_no_body || head.method == Method::HEAD, connection, entry)
    }
}

/// Reads a body to its end in bounded memory; what is returned is the whole of it, or nothing if it is too large.
async fn read(mut body: Incoming, entry: &mut Entry) -> Result<Option<Bytes>, hyper::Error> {
    let (mut kept, mut fits) = (BytesMut::new(), true);
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            entry.body_data(&data);
            fits &= kept.len() + data.len() <= BODY_LIMIT;
            if fits {
                kept.extend_from_slice(&data);
            }
        }
    }
    entry.body_complete();
    Ok(fits.then(|| kept.freeze()))
}

fn never(never: Infallible) -> Response<AnswerBody> {
    match never {}
}
