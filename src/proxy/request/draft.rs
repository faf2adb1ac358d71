//! A request as it goes to Business Central, but for its token and body: what each attempt is made from.

use std::sync::Arc;

use hyper::body::Body;
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, HOST, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Request, Uri};
use tokio::time::Instant;

use super::authenticate::identity::{Identity, KnownAs};
use super::target::Target;
use crate::business_central::{CLIENT_REQUEST_ID, CompanyId, soap};
use crate::entra::Token;
use crate::proxy::body::request_body::RequestBody;
use crate::proxy::environment::application_pool::{Member, Senders};
use crate::proxy::environment::changes::Extent;
use crate::proxy::environment::connector::Connector;
use crate::proxy::environment::route::Route;
use crate::proxy::environment::token_attempts::TokenScope;
use crate::proxy::exchange::Exchange;
use crate::proxy::headers;
use crate::proxy::limiter::Limiter;
use crate::proxy::methods::only_reads;

/// A request that only lacks its token.
#[derive(Debug)]
pub struct Drafted {
    /// All but the body.
    pub draft: Box<Draft>,
    /// The body.
    pub body: RequestBody,
}

/// A request without token and body.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The facts about the client's request.
    pub exchange: Arc<Exchange>,
    /// What it asks for.
    pub target: Arc<Target>,
    /// The applications that may send it.
    pub senders: Senders,
    /// What is known of its client.
    pub known_as: Option<Arc<KnownAs>>,
    /// The company it is in, if it is in one that is known.
    pub company: Option<CompanyId>,
    /// The method that is sent.
    pub method: Method,
    /// Path and query at Business Central.
    pub uri: Uri,
    /// The headers that are sent; an empty `Authorization` keeps the place of the token's.
    pub headers: HeaderMap,
    /// What the request may change, if it is a batch.
    pub batch_changes: Option<Extent>,
    /// After this time the request is neither queued nor retried.
    pub deadline: Instant,
    is_shared: bool,
    /// As far as its methods tell.
    only_reads: bool,
}

impl Draft {
    /// The draft of a request to this address.
    pub fn new(
        exchange: Arc<Exchange>,
        target: Arc<Target>,
        head: Parts,
        methods: &[Method],
        address: PathAndQuery,
        batch_changes: Option<Extent>,
        deadline: Instant,
    ) -> Self {
        let Target { route, resource, companies } = &*target;
        let mut headers = headers::towards_business_central(
            head.headers,
            &head.method,
            methods,
            resource,
            &route.settings,
            &exchange.id_value,
        );
        let client_request_id = headers.get(CLIENT_REQUEST_ID);
        if client_request_id != Some(&exchange.id_value) {
            let _ = exchange.notes.client_request_id.set(client_request_id.cloned());
        }
        headers.insert(HOST, route.connector.upstream.host());
        // To add a header to a map that is full costs as much as all others: each attempt would do so to its copy.
        headers.insert(AUTHORIZATION, HeaderValue::from_static(""));
        Self {
            senders: Senders::Shared,
            known_as: None,
            company: companies.company.as_ref().map(|company| company.id),
            method: head.method,
            uri: address.into(),
            headers,
            batch_changes,
            deadline,
            is_shared: false,
            only_reads: methods.iter().all(only_reads),
            exchange,
            target,
        }
    }

    /// The same request, of this client: the client's own application sends it, if the client has one.
    pub fn of_client(self, known_as: Option<Arc<KnownAs>>) -> Self {
        let application = known_as.as_ref().and_then(|known| known.client.as_ref()?.application);
        Self { senders: self.connector().pool.senders(application), known_as, ..self }
    }

    /// The route it takes.
    pub fn route(&self) -> &Arc<Route> {
        &self.target.route
    }

    /// The connector it goes through.
    pub fn connector(&self) -> &Connector {
        &self.target.route.connector
    }

    /// The limiter for this request as one of this application's; `None` when limits are off.
    pub fn limiter<'a>(&'a self, member: &'a Member) -> Option<&'a Limiter> {
        member.limiter(self.target.resource.is_soap())
    }

    /// Who its client has proven to be.
    pub fn identity(&self) -> Option<&str> {
        self.known_as.as_ref()?.identity.as_ref().map(Identity::name)
    }

    /// What its tokens are used for.
    pub fn token_scope(&self) -> TokenScope<'_> {
        let Route { connector, rejected_tokens, .. } = &**self.route();
        let (senders, is_soap, company) = (self.senders, self.target.resource.is_soap(), self.company);
        TokenScope { connector, senders, is_soap, rejected_tokens, company }
    }

    /// Whether carrying it out twice makes no difference. `body`: as far as it is in memory.
    pub fn only_reads(&self, body: Option<&RequestBody>) -> bool {
        let is_read_call = || match body.and_then(RequestBody::bytes) {
            Some(bytes) => self.method == Method::POST && soap::only_reads(bytes),
            None => false,
        };
        self.only_reads || self.target.resource.is_soap_page() && is_read_call()
    }

    /// Whose data it may change.
    pub fn changes(&self, body: &RequestBody) -> Extent {
        if let Some(changes) = &self.batch_changes {
            return changes.clone();
        }
        // Reading an envelope takes time: where nothing is cached, nothing is lost by taking it for a change.
        let body = self.connector().changes.is_tracked().then_some(body);
        if self.only_reads(body) { Extent::Nothing } else { Extent::of(self.company) }
    }

    /// The same request, made for several clients: it goes on when its own client leaves.
    pub fn shared(&self) -> Self {
        Self { is_shared: true, ..self.clone() }
    }

    /// Completes when the client has [left](Exchange::abandoned) and nobody else waits for the response.
    pub async fn abandoned(&self) {
        match self.is_shared {
            true => std::future::pending().await,
            false => self.exchange.abandoned().await,
        }
    }

    /// Whether the request is canceled when its client disconnects, even after it was sent.
    pub fn cancel_on_disconnect(&self) -> bool {
        self.exchange.cancel_on_disconnect() && !self.is_shared
    }

    /// The request with its token, ready to be sent.
    pub fn with(&self, token: &Token, body: RequestBody) -> Request<RequestBody> {
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().insert(AUTHORIZATION, token.authorization.clone());
        // hyper writes no length for an empty body; IIS answers such a POST with 411.
        if request.body().is_end_stream() && matches!(self.method, Method::POST | Method::PUT | Method::PATCH) {
            request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        if let Some(trace) = &self.exchange.trace {
            let _ = trace.sent_to.set(self.uri.clone());
            trace.propagate(self.exchange.notes.attempts(), request.headers_mut());
        }
        let _ = self.exchange.notes.token_age.set(token.age());
        request
    }
}
