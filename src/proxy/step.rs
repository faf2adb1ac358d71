//! What a request is between the steps, and the layer for steps that only judge or translate it.

use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::Either;
use hyper::Request;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use tower::{Layer, Service};

use crate::business_central::address::Resource;
use crate::proxy::body::request_body::{ClientBody, RequestBody};
use crate::proxy::downstream::client::ClientConnection;
use crate::proxy::environment::connector::Route;
use crate::proxy::exchange::Exchange;
use crate::proxy::rejection::Refusal;
use crate::proxy::request::authorize::Draft;

/// A request as hyper hands it over.
#[derive(Debug)]
pub struct Arrived {
    pub client: Arc<ClientConnection>,
    /// Of the request on its connection, from 1.
    pub number: u32,
    pub request: Request<Incoming>,
}

/// A request as it came in.
#[derive(Debug)]
pub struct Inbound {
    pub exchange: Arc<Exchange>,
    pub head: Parts,
    pub body: ClientBody,
}

/// A request whose route and resource are known.
#[derive(Debug)]
pub struct Routed<B> {
    pub exchange: Arc<Exchange>,
    pub route: Arc<Route>,
    pub resource: Resource,
    pub head: Parts,
    pub body: B,
}

/// A request whose place at Business Central is known; only the token is missing.
#[derive(Debug)]
pub struct Drafted {
    pub draft: Draft,
    pub body: RequestBody,
}

/// A request as it goes to Business Central.
#[derive(Debug)]
pub struct Outbound {
    pub exchange: Arc<Exchange>,
    pub route: Arc<Route>,
    pub request: Request<RequestBody>,
    /// Whether it is given up when its client goes away.
    pub ends_with_its_client: bool,
}

/// The layer of a step that turns a request into the next step's, or refuses it, without waiting for anything.
pub fn judge<F: Clone>(verdict: F) -> JudgeLayer<F> {
    JudgeLayer { verdict }
}

#[derive(Debug, Clone)]
pub struct JudgeLayer<F> {
    verdict: F,
}

#[derive(Debug, Clone)]
pub struct Judge<F, S> {
    verdict: F,
    inner: S,
}

impl<F: Clone, S> Layer<S> for JudgeLayer<F> {
    type Service = Judge<F, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Judge { verdict: self.verdict.clone(), inner }
    }
}

impl<F, S, Before, After> Service<Before> for Judge<F, S>
where
    F: Fn(Before) -> Result<After, Refusal>,
    S: Service<After, Error = Refusal>,
{
    type Response = S::Response;
    type Error = Refusal;
    type Future = Either<S::Future, Ready<Result<S::Response, Refusal>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Before) -> Self::Future {
        match (self.verdict)(request) {
            Ok(request) => Either::Left(self.inner.call(request)),
            Err(refusal) => Either::Right(ready(Err(refusal))),
        }
    }
}
