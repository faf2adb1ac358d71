//! Authorisation: the company is known, the address and the headers are those Business Central takes; only the token is missing.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::body::Body;
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, HOST, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, Uri};
use tower::Service;

use super::company_choice::{Companies, companies_of};
use super::inspect::subscriptions::{creates, judge_access};
use crate::business_central::address::{EnvironmentAddress, Resource, names};
use crate::business_central::{CompanyId, soap};
use crate::config;
use crate::entra::Token;
use crate::proxy::body::request_body::RequestBody;
use crate::proxy::cache::Extent;
use crate::proxy::dispatch::limiter::Gate;
use crate::proxy::dispatch::upstream::UpstreamBody;
use crate::proxy::environment::application_pool::Member;
use crate::proxy::environment::connector::Route;
use crate::proxy::environment::look_up::LookUp;
use crate::proxy::environment::rejected_tokens::Case;
use crate::proxy::exchange::{self, Exchange};
use crate::proxy::headers;
use crate::proxy::rejection::{Kind, Refusal};
use crate::proxy::step::{Drafted, Outbound, Routed};

/// The step that makes a request one of our application's.
#[derive(Debug, Clone)]
pub struct Authorize<S> {
    inner: S,
}

/// A request but for its token and body: what can be sent again.
#[derive(Debug, Clone)]
pub struct Draft {
    pub exchange: Arc<Exchange>,
    pub route: Arc<Route>,
    pub company: Option<CompanyId>,
    pub method: Method,
    /// Path and query.
    pub target: Uri,
    pub headers: HeaderMap,
    is_shared: bool,
    is_batch: bool,
    is_soap: bool,
    /// Whether it goes to a page's SOAP service.
    is_page: bool,
    /// As far as its methods show.
    only_reads: bool,
}

impl<S> Authorize<S> {
    pub fn new(inner: S) -> Self {
        Self { inner }
    }
}

impl<S> Service<Routed<RequestBody>> for Authorize<S>
where
    S: Service<Drafted, Response = Response<UpstreamBody>, Error = Refusal, Future: Send> + Clone + Send + 'static,
{
    type Response = Response<UpstreamBody>;
    type Error = Refusal;
    type Future = Pin<Box<dyn Future<Output = Result<Response<UpstreamBody>, Refusal>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, routed: Routed<RequestBody>) -> Self::Future {
        let mut inner = self.inner.clone();
        Box::pin(async move {
            let (draft, body) = Draft::new(routed).await?;
            inner.call(Drafted { draft, body }).await
        })
    }
}

/// A request with its place at Business Central.
#[derive(Debug)]
pub struct Directed {
    pub resource: Resource,
    pub companies: Companies,
    pub address: Uri,
}

/// Where at Business Central a request for this resource goes.
pub async fn direct(
    settings: &config::Route,
    environment: &EnvironmentAddress,
    look_up: &impl LookUp,
    mut resource: Resource,
    methods: &[Method],
) -> Result<Directed, Refusal> {
    let companies = companies_of(settings, look_up, &mut resource).await?;
    let resource = settle(resource, &companies, methods, look_up).await?;
    let target = resource.path_and_query(environment.path(), companies.company.as_deref())?;
    let address =
        Uri::builder().scheme("https").authority(settings.connector.base_url.authority()).path_and_query(target);
    let address = address
        .build()
        .map_err(|_| Refusal::new(Kind::BadRequest, "The address can't be written as Business Central needs it."))?;
    Ok(Directed { resource, companies, address })
}

/// What is asked for in these companies with these methods: a page and an unbound action of OData look alike, and only Business Central can
/// tell them apart. Refused is a change of the set of companies, and what is about subscriptions of others.
pub async fn settle(
    resource: Resource,
    companies: &Companies,
    methods: &[Method],
    look_up: &impl LookUp,
) -> Result<Resource, Refusal> {
    if let Some(within) = &companies.within
        && resource.lists_companies()
        && !methods.iter().all(|method| exchange::only_reads(method) || method == Method::OPTIONS)
    {
        let names = names(within);
        let message = format!("This route leads to the company `{names}` only; it neither creates nor changes others.");
        return Err(Refusal::new(Kind::NotAllowed, message));
    }
    judge_access(&resource, companies, methods, look_up).await?;
    match (&companies.company, resource.unbound_action()) {
        (Some(company), Some(name)) if creates(methods) && look_up.has_action(name).await? => {
            Ok(resource.into_unbound_action(company))
        }
        _ => Ok(resource),
    }
}

impl Draft {
    async fn new(routed: Routed<RequestBody>) -> Result<(Self, RequestBody), Refusal> {
        let Routed { exchange, route, resource, head, body } = routed;
        let methods: Vec<Method> = headers::methods(&head.method, &head.headers).collect();
        let Directed { resource, companies, address } =
            direct(&route.settings, &route.destination.address, &*route, resource, &methods).await?;
        let (is_batch, is_soap, is_page) = (resource.is_batch(), resource.is_soap(), resource.is_soap_page());
        let company = companies.company.as_ref().map(|company| company.id);
        exchange.asks_for(resource, companies);
        let only_reads = methods.iter().all(exchange::only_reads);
        let mut headers = headers::towards_business_central(head.headers, &head.method, &route.settings, exchange.id);
        headers.insert(HOST, route.destination.upstream.host());
        let draft = Self {
            company,
            method: head.method,
            target: address.into_parts().path_and_query.map_or_else(Uri::default, Uri::from),
            headers,
            is_shared: false,
            is_batch,
            is_soap,
            is_page,
            only_reads,
            exchange,
            route,
        };
        Ok((draft, body))
    }

    /// What lets it through as one of this application's, unless there are no limits.
    pub fn gate<'a>(&'a self, member: &'a Member) -> Option<&'a Gate> {
        if self.is_soap { self.route.destination.soap_gate.as_ref() } else { member.gate.as_ref() }
    }

    /// Whether another application could have it done now.
    pub fn can_do_without(&self, member: &Member) -> bool {
        !self.is_soap && self.route.destination.pool.can_do_without(member)
    }

    /// Whom a pause of its gate keeps waiting, in words.
    pub fn who_waits(&self, goes_on_elsewhere: bool) -> &'static str {
        match (self.is_soap, goes_on_elsewhere) {
            (true, _) => "all SOAP calls to this environment wait",
            (false, true) => "other applications of the connector do this one's work meanwhile",
            (false, false) => "this application's requests wait",
        }
    }

    /// What Business Central judges when it takes or refuses this application's token.
    pub fn case(&self, member: &Member) -> Case {
        Case { application: member.client_id, company: self.company }
    }

    /// Whether carrying it out twice makes no difference. `body`: as far as it is at hand.
    pub fn only_reads(&self, body: Option<&RequestBody>) -> bool {
        let is_read_call = || match body {
            Some(RequestBody::Whole { bytes, .. }) => self.method == Method::POST && soap::only_reads(bytes),
            _ => false,
        };
        self.only_reads || self.is_page && is_read_call()
    }

    /// Whose data it may change.
    pub fn changes(&self, body: &RequestBody) -> Extent {
        if self.is_batch {
            return self.exchange.batch_changes().cloned().unwrap_or(Extent::Anything);
        }
        // Reading an envelope takes time: where nothing is kept, nothing is lost by taking it for a change.
        let body = self.route.destination.changes.matter().then_some(body);
        if self.only_reads(body) { Extent::Nothing } else { Extent::of(self.company) }
    }

    /// The same request, made for others too: it goes on when its client leaves.
    pub fn shared(&self) -> Self {
        Self { is_shared: true, ..self.clone() }
    }

    /// Ends when its client has left and nobody else waits for it. Only while nothing of it is under way.
    ///
    /// A client that said it would close may only mean that it has no more to send.
    pub async fn left(&self) {
        if self.exchange.keeps_connection() && !self.is_shared {
            self.exchange.client.closed_by_client().await;
        } else {
            std::future::pending().await
        }
    }

    /// Ready to be sent.
    pub fn with(&self, token: &Token, body: RequestBody) -> Outbound {
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.target.clone();
        *request.headers_mut() = self.headers.clone();
        let authorization: HeaderValue = token.authorization.clone();
        request.headers_mut().insert(AUTHORIZATION, authorization);
        // hyper says nothing about a body that is not there; IIS answers such a POST with 411.
        if request.body().is_end_stream() && matches!(self.method, Method::POST | Method::PUT | Method::PATCH) {
            request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        self.exchange.authorized(token.age());
        let ends_with_its_client = self.exchange.ends_with_its_client() && !self.is_shared;
        Outbound { exchange: self.exchange.clone(), route: self.route.clone(), request, ends_with_its_client }
    }
}
