//! The picture of a request: the steps it takes, in order.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::Response;
use tower::Service;

use super::budgets::fair_budget::FairBudget;
use super::cache::read_cache::send;
use super::cache::store::ResponseStore;
use super::rejection::{Kind, Rejection};
use super::request::admission::admit;
use super::request::authenticate::handshake::LocalResponse;
use super::request::authenticate::step::{Authentication, authenticate};
use super::request::authorize::authorize;
use super::request::inspect::step::inspect_request;
use super::request::route::choose_route;
use super::request::thread_pool::ThreadPool;
use super::response::body::ResponseBody;
use super::response::respond::respond;
use super::snapshot::Current;
use super::step::{Arrived, Inbound, Received};

/// The data path: a service that responds to whatever a client's connection brings. Clones share it.
#[derive(Debug, Clone)]
pub struct DataPath(Arc<Shared>);

/// What the steps need besides a request.
#[derive(Debug)]
struct Shared {
    /// The configuration that new requests are served by.
    current: Current,
    authentication: Authentication,
    /// The budget for bodies that wait on disk.
    disk: FairBudget,
    /// Inspects large bodies.
    pool: ThreadPool,
    store: ResponseStore,
}

impl DataPath {
    /// `disk`: the budget for bodies that wait on disk. `pool` inspects large bodies.
    pub fn new(current: Current, authentication: Authentication, disk: FairBudget, pool: ThreadPool) -> Self {
        Self(Arc::new(Shared { current, authentication, disk, pool, store: ResponseStore::default() }))
    }

    /// The steps of a request. What comes back, ours or Business Central's, passes through `respond`.
    async fn steps(self, inbound: Inbound) -> Result<Received, LocalResponse> {
        let Shared { authentication, disk, pool, store, .. } = &*self.0;
        guard(&inbound)?;
        let mut routed = choose_route(inbound)?;
        authenticate(&mut routed, authentication).await?;
        let admitted = admit(routed, disk).await?;
        let inspected = inspect_request(admitted, pool).await?;
        let drafted = authorize(inspected).await?;
        Ok(send(store, drafted).await?)
    }
}

impl Service<Arrived> for DataPath {
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<ResponseBody>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Every step accepts all requests at any time; what has to wait, waits in its future.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, arrived: Arrived) -> Self::Future {
        let (path, snapshot) = (self.clone(), self.0.current.snapshot());
        Box::pin(respond(arrived, snapshot, |inbound| path.steps(inbound)))
    }
}

/// The step that rejects what is no honest HTTP request for this proxy.
fn guard(inbound: &Inbound) -> Result<(), Rejection> {
    if let Some(error) = inbound.exchange.forwarded_error {
        return Err(Rejection::new(Kind::BadRequest, format!("The client is not known: {error}.")));
    }
    inbound.exchange.snapshot.guard.check(&inbound.head).map_err(Rejection::from)
}
