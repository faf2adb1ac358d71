//! The picture of a request: the steps it takes, in order.

use std::convert::Infallible;

use futures_util::future::Either;
use hyper::Response;
use tower::{Service, ServiceBuilder, service_fn};

use super::budgets::fair_budget::FairBudget;
use super::cache::read_cache::Cache;
use super::cache::store::ResponseStore;
use super::dispatch::attempts::Attempts;
use super::dispatch::forward::forward;
use super::filter::{filter, filter_async};
use super::rejection::{Kind, Rejection};
use super::request::admission::admit;
use super::request::authenticate::handshake::LocalResponse;
use super::request::authenticate::step::{Authentication, authenticate};
use super::request::authorize::authorize;
use super::request::inspect::step::inspect_request;
use super::request::route::choose_route;
use super::request::thread_pool::ThreadPool;
use super::response::body::ResponseBody;
use super::response::respond::Respond;
use super::snapshot::Current;
use super::step::{Arrived, Inbound};

/// A service that answers whatever a client's connection brings.
pub trait Steps:
    Service<Arrived, Response = Response<ResponseBody>, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static
{
}

impl<S> Steps for S where
    S: Service<Arrived, Response = Response<ResponseBody>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// The path of a request through the proxy. A response, ours or Business Central's, comes back through `Respond`.
///
/// `disk`: the budget for bodies that wait on disk. `pool` inspects large bodies.
pub fn steps(current: Current, authentication: Authentication, disk: FairBudget, pool: ThreadPool) -> impl Steps {
    let store = ResponseStore::default();
    ServiceBuilder::new()
        .layer_fn(|inner| Respond { current: current.clone(), inner })
        .layer(filter(guard))
        .layer(filter(choose_route))
        .layer(filter_async(move |routed| authenticate(routed, &authentication)))
        .layer(filter_async(move |routed| admit(routed, &disk)))
        .layer(filter_async(move |routed| inspect_request(routed, &pool)))
        .layer(filter_async(|inspected| Either::Right(authorize(inspected))))
        .layer_fn(move |inner| Cache { store: store.clone(), inner })
        .layer_fn(|inner| Attempts { inner })
        .service(service_fn(forward))
}

/// The step that rejects what is no honest HTTP request for this proxy.
fn guard(inbound: Inbound) -> Result<Inbound, LocalResponse> {
    if let Some(error) = inbound.exchange.forwarded_error {
        return Err(Rejection::new(Kind::BadRequest, format!("The client is not known: {error}.")).into());
    }
    inbound.exchange.snapshot.guard.check(&inbound.head).map_err(Rejection::from)?;
    Ok(inbound)
}
