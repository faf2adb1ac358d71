//! The picture of a request: the steps it takes, in order.

use std::convert::Infallible;
use std::sync::Arc;

use hyper::Response;
use tokio::sync::Semaphore;
use tower::{Service, ServiceBuilder};

use crate::proxy::body::request_body::ReadAheadRoom;
use crate::proxy::cache::{Answers, Cache};
use crate::proxy::dispatch::attempts::Attempts;
use crate::proxy::dispatch::forward::Forward;
use crate::proxy::request::admission::Admission;
use crate::proxy::request::authorize::Authorize;
use crate::proxy::request::credentials::refuse_broken;
use crate::proxy::request::guard::guard;
use crate::proxy::request::inspect::step::{Inspect, LARGE_BODIES};
use crate::proxy::request::route::Routes;
use crate::proxy::response::respond::{Respond, ResponseBody};
use crate::proxy::snapshot::Current;
use crate::proxy::step::{Arrived, judge};

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

/// The way of a request through the proxy. An answer, ours or Business Central's, comes back through `Respond`.
pub fn steps(current: Current) -> impl Steps {
    let room = ReadAheadRoom::default();
    let large_bodies = Arc::new(Semaphore::new(LARGE_BODIES));
    let answers = Answers::default();
    ServiceBuilder::new()
        .layer_fn(|inner| Respond::new(current.clone(), inner))
        .layer(judge(guard))
        .layer(judge(refuse_broken))
        .layer(judge(Routes::choose))
        .layer_fn(move |inner| Admission::new(room.clone(), inner))
        .layer_fn(move |inner| Inspect::new(large_bodies.clone(), inner))
        .layer_fn(Authorize::new)
        .layer_fn(move |inner| Cache::new(answers.clone(), inner))
        .layer_fn(Attempts::new)
        .service(Forward)
}
