//! Authorisation: the company is known, the token is added, and a refused token is replaced once.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::body::{Body, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri};
use tower::Service;

use super::destination::Route;
use super::exchange::Exchange;
use super::headers;
use super::refusal::{Kind, Refusal};
use super::request_body::RequestBody;
use super::step::{Outbound, Routed};
use crate::business_central::address::{EnvironmentAddress, Resource};
use crate::business_central::{Company, CompanyId};
use crate::config;
use crate::entra::Token;

/// The step that makes a request one of our application's.
#[derive(Debug, Clone)]
pub struct Authorize<S> {
    inner: S,
}

/// A request but for its token and body: what can be sent again.
struct Draft {
    exchange: Arc<Exchange>,
    route: Arc<Route>,
    company: Option<CompanyId>,
    method: Method,
    address: Uri,
    headers: HeaderMap,
}

impl<S> Authorize<S> {
    pub fn new(inner: S) -> Self {
        Self { inner }
    }
}

impl<S> Service<Routed<RequestBody>> for Authorize<S>
where
    S: Service<Outbound, Response = Response<Incoming>, Error = Refusal, Future: Send> + Clone + Send + 'static,
{
    type Response = Response<Incoming>;
    type Error = Refusal;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Incoming>, Refusal>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, routed: Routed<RequestBody>) -> Self::Future {
        let inner = self.inner.clone();
        Box::pin(async move {
            let (draft, body) = Draft::new(routed).await?;
            draft.send(body, inner).await
        })
    }
}

/// Where at Business Central a resource is asked for on behalf of a company.
pub fn address(
    settings: &config::Route,
    environment: &EnvironmentAddress,
    resource: &Resource,
    company: Option<&Company>,
) -> Result<Uri, Refusal> {
    let target = resource.path_and_query(environment.path(), company)?;
    let address =
        Uri::builder().scheme("https").authority(settings.connector.base_url.authority()).path_and_query(target);
    address
        .build()
        .map_err(|_| Refusal::new(Kind::BadRequest, "The address can't be written as Business Central needs it."))
}

impl Draft {
    async fn new(routed: Routed<RequestBody>) -> Result<(Self, RequestBody), Refusal> {
        let Routed { exchange, route, mut resource, head, body } = routed;
        let company = route.company_of(&mut resource).await?;
        if let Some(company) = &company
            && head.method == Method::POST
            && let Some(name) = resource.unbound_action()
            && route.destination.has_action(name).await?
        {
            resource = resource.into_unbound_action(company);
        }
        let address = address(&route.settings, &route.destination.address, &resource, company.as_deref())?;
        exchange.asks_for(resource, company.clone());
        let headers = headers::towards_business_central(head.headers, &head.method, &route.settings, exchange.id);
        let draft =
            Self { company: company.map(|company| company.id), method: head.method, address, headers, exchange, route };
        Ok((draft, body))
    }

    async fn send<S>(self, body: RequestBody, mut inner: S) -> Result<Response<Incoming>, Refusal>
    where
        S: Service<Outbound, Response = Response<Incoming>, Error = Refusal>,
    {
        let tokens = &self.route.destination.tokens;
        let token = tokens.token().await?;
        let at_hand = body.again();
        let answer = inner.call(self.with(&token, body)).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            self.route.suspicion.lift(self.company);
            if answer.status() == StatusCode::NOT_FOUND && self.company.is_some() {
                self.route.doubt_company();
            }
            return Ok(answer);
        }
        if !self.route.suspicion.falls_on(&token, self.company) {
            return Err(self.route.destination.credentials_refused(&token));
        }
        let Some(body) = at_hand else {
            tokens.suspect(&token);
            return Err(Refusal::new(Kind::TokenRenewed, TOKEN_RENEWED).retry_after(std::time::Duration::from_secs(1)));
        };
        // Its connection is free for others before we ask Entra.
        drop(answer);
        let token = tokens.token_after(&token).await?;
        let answer = inner.call(self.with(&token, body)).await?;
        if answer.status() == StatusCode::UNAUTHORIZED {
            self.route.suspicion.clear_of(&token, self.company);
            return Err(self.route.destination.credentials_refused(&token));
        }
        Ok(answer)
    }

    fn with(&self, token: &Token, body: RequestBody) -> Outbound {
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.address.clone();
        *request.headers_mut() = self.headers.clone();
        let authorization: HeaderValue = token.authorization.clone();
        request.headers_mut().insert(AUTHORIZATION, authorization);
        // hyper says nothing about a body that is not there; IIS answers such a POST with 411.
        if request.body().is_end_stream() && matches!(self.method, Method::POST | Method::PUT | Method::PATCH) {
            request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        self.exchange.authorized(token.age());
        Outbound { exchange: self.exchange.clone(), route: self.route.clone(), request }
    }
}

const TOKEN_RENEWED: &str = "Business Central did not take the token that was current when this large request began, and nothing of the request was \
     carried out; the token is being renewed, send the request again.";
