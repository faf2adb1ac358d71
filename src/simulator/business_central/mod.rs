//! The stand-in for Business Central online: API, OData V4 and SOAP over one set of books.
//!
//! A request walks `address` → a surface (`api`, `odata`, `soap`) → `collection` or a SOAP operation → `books`.

mod address;
mod api;
mod books;
mod collection;
mod errors;
mod filter;
mod odata;
mod query;
mod schema;
mod seed;
mod soap;

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HOST, HeaderValue, SET_COOKIE};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Response, StatusCode};
use uuid::Uuid;

use self::address::Address;
use self::books::Books;
use self::errors::Failure;
use super::answer::{self, AnswerBody};
use super::entra::{Issued, Tokens};
use super::listener::{Break, Connection, Service};
use super::record::{Entry, Received, Recorder};
use super::script::{Matcher, Script, Scripts};
use super::settings::{Settings, TenantInLinks};
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
}

/// Where a request's environment is, and what holds for all of it.
struct Place {
    /// The environment's absolute address, as links name it.
    root: String,
    default_company: Option<String>,
    page_size: usize,
}

/// A request whose whole body has arrived.
struct Request<'a> {
    method: &'a Method,
    headers: &'a HeaderMap,
    /// The query as it arrived.
    query: &'a str,
    /// The body, or `None` when it was too large to be kept.
    body: Option<&'a Bytes>,
}

impl BusinessCentral {
    pub(super) fn new(settings: &Settings, base_url: &str, tokens: Arc<Tokens>) -> Self {
        Self {
            host: base_url.trim_start_matches("https://").to_owned(),
            tokens,
            books: Mutex::new(seed::books(settings, base_url)),
            recorder: Recorder::new(settings.record_limit),
            scripts: Scripts::default(),
            refusals: Mutex::new(Times::Next(0)),
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
    pub fn refuse_connections(&self, times: Times) {
        *lock(&self.refusals) = times;
    }

    /// Records created, changed or deleted so far, in all companies.
    pub fn writes(&self) -> u64 {
        lock(&self.books).writes
    }

    /// How often a method of the codeunit `Tools` was executed.
    pub fn codeunit_calls(&self, method: &str) -> u64 {
        lock(&self.books).codeunit_calls.get(method).copied().unwrap_or(0)
    }

    /// How many customers the company of this name has; `None` when there is no such company.
    pub fn customers(&self, company: &str) -> Option<usize> {
        let books = lock(&self.books);
        let company = books.companies.iter().find(|known| known.name == company)?;
        Some(company.records(&schema::CUSTOMER).len())
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.recorder.received()
    }

    pub(super) async fn wait_for(&self, predicate: impl FnMut(&[Received]) -> bool) {
        self.recorder.wait_for(predicate).await;
    }

    fn token(&self, headers: &HeaderMap) -> Option<Issued> {
        let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
        if scheme.eq_ignore_ascii_case("bearer") { self.tokens.accepted(token) } else { None }
    }

    /// What Business Central answers of its own accord.
    fn ordinary_answer(&self, head: &Parts, token: Option<&Issued>, body: Option<&Bytes>) -> Response<Bytes> {
        let mut response = self.attempt(head, token, body).unwrap_or_else(|failure| failure.envelope());
        let headers = response.headers_mut();
        headers.insert(SET_COOKIE, HeaderValue::from_static("ARRAffinity=simulator; Path=/; HttpOnly; Secure"));
        for name in ["request-id", "ms-correlation-x"] {
            if let Ok(id) = HeaderValue::from_str(&Uuid::new_v4().to_string()) {
                headers.insert(name, id);
            }
        }
        response
    }

    fn attempt(&self, head: &Parts, token: Option<&Issued>, body: Option<&Bytes>) -> Result<Response<Bytes>, Failure> {
        let token = token.ok_or(Failure::InvalidCredentials)?;
        let address = Address::parse(head.uri.path())?;
        if address.tenant.as_deref().is_some_and(|tenant| !self.is_tenant_of(tenant, token)) {
            return Err(Failure::InvalidCredentials);
        }
        if !address.environment.eq_ignore_ascii_case(&self.settings.environment) {
            return Err(Failure::NoEnvironment);
        }
        let place = self.place(head, &address);
        let query = head.uri.query().unwrap_or_default();
        let request = Request { method: &head.method, headers: &head.headers, query, body };
        let mut books = lock(&self.books);
        match address.segments.as_slice() {
            [family, rest @ ..] if family.eq_ignore_ascii_case("api") => {
                api::answer(&mut books, &place, rest, &request)
            }
            [family, rest @ ..] if family.eq_ignore_ascii_case("ODataV4") => {
                odata::answer(&mut books, &place, rest, &request)
            }
            [family, rest @ ..] if family.eq_ignore_ascii_case("WS") => {
                soap::answer(&mut books, &place, rest, &request)
            }
            segments => Err(Failure::UnknownSegment(segments.join("/"))),
        }
    }

    fn is_tenant_of(&self, tenant: &str, token: &Issued) -> bool {
        let is_domain = tenant.eq_ignore_ascii_case(&self.settings.tenant_domain);
        let id = if is_domain { Some(self.settings.tenant_id) } else { Uuid::try_parse(tenant).ok() };
        id == Some(token.tenant_id)
    }

    fn place(&self, head: &Parts, address: &Address) -> Place {
        let host = head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or(&self.host);
        let tenant = match self.settings.tenant_in_links {
            TenantInLinks::AsRequested => address.tenant.clone(),
            TenantInLinks::Always => Some(self.settings.tenant_id.to_string()),
            TenantInLinks::Never => None,
        };
        let tenant = tenant.map(|tenant| format!("{tenant}/")).unwrap_or_default();
        Place {
            root: format!("https://{host}/v2.0/{tenant}{}", address.environment),
            default_company: self.settings.default_company.clone(),
            page_size: self.settings.page_size,
        }
    }
}

impl Place {
    /// The company a request falls back to when it names none: the way into the wrong books.
    fn default_company(&self, books: &Books) -> Result<usize, Failure> {
        let name = self.default_company.as_ref().ok_or(Failure::NoCompany)?;
        books.find_company(name)
    }
}

impl Request<'_> {
    fn expect_read(&self) -> Result<(), Failure> {
        match *self.method {
            Method::GET | Method::HEAD => Ok(()),
            _ => Err(Failure::Method(self.method.to_string())),
        }
    }

    /// The value of a query option, its name in any case.
    fn option(&self, name: &str) -> Option<String> {
        let mut options = form_urlencoded::parse(self.query.as_bytes());
        options.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.into_owned())
    }

    fn whole_body(&self) -> Result<&Bytes, Failure> {
        self.body.ok_or(Failure::TooLarge)
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
        let script = self.scripts.take(&head, token.is_some()).unwrap_or_else(Script::ordinary);

        let mut kept = None;
        if script.reads_request {
            match read(body, &mut entry).await {
                Ok(body) => kept = body,
                Err(_) => return never(connection.break_off(Break::Cut).await),
            }
        }
        let scripted = match script.scripted {
            Some(scripted) => scripted,
            None => self.ordinary_answer(&head, token.as_ref(), kept.as_ref()).into(),
        };
        if let Some(gate) = script.gate {
            gate.opened().await;
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

/// Reads a body to its end in bounded memory; what is returned is the whole of it, or nothing if it was larger than kept.
async fn read(mut body: Incoming, entry: &mut Entry) -> Result<Option<Bytes>, hyper::Error> {
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            length += data.len();
            entry.body_data(&data);
        }
    }
    let kept = entry.body_complete();
    Ok((kept.len() == length).then_some(kept))
}

fn never(never: Infallible) -> Response<AnswerBody> {
    match never {}
}
