//! What a request is between the steps: each type holds what the steps before it found out.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Request, Response};
use tokio::time::Instant;

use super::body::client_body::ClientBody;
use super::body::request_body::RequestBody;
use super::downstream::client::ClientConnection;
use super::environment::changes::Extent;
use super::environment::route::Route;
use super::exchange::Exchange;
use super::request::authenticate::identity::KnownAs;
use super::request::target::Target;
use super::response::body_plan::BodyPlan;
use super::upstream::UpstreamBody;
use crate::business_central::Dialect;
use crate::business_central::address::Resource;

/// A request as hyper hands it over.
#[derive(Debug)]
pub struct Arrived {
    /// The connection it came on.
    pub client: Arc<ClientConnection>,
    /// Number of the request on its connection, from 1.
    pub number: u32,
    /// Head and body.
    pub request: Request<Incoming>,
}

/// A request as it came in.
#[derive(Debug)]
pub struct Inbound {
    /// The facts about it.
    pub exchange: Arc<Exchange>,
    /// Its head.
    pub head: Box<Parts>,
    /// Its body, still to be read.
    pub body: ClientBody,
}

/// A request whose route is chosen and whose address is understood.
#[derive(Debug)]
pub struct Routed<B> {
    /// The facts about it.
    pub exchange: Arc<Exchange>,
    /// Its route.
    pub route: Arc<Route>,
    /// What is known of its client, once it is authenticated.
    pub known_as: Option<Arc<KnownAs>>,
    /// What it asks for, as far as its address says.
    pub resource: Box<Resource>,
    /// The form in which its client reads errors.
    pub dialect: Dialect,
    /// Its head.
    pub head: Box<Parts>,
    /// Its body.
    pub body: B,
    /// Until when it may wait for look-ups, permits and retries. Counted from the arrival of a body in memory.
    pub deadline: Instant,
}

/// A request whose body was checked.
#[derive(Debug)]
pub struct Inspected {
    /// The request, its body as it may be sent.
    pub routed: Routed<RequestBody>,
    /// What it may change, if it is a batch.
    pub batch_changes: Option<Extent>,
}

/// A response of Business Central, what was asked for, and what follows from both.
#[derive(Debug)]
pub struct Received {
    /// What the request asked for.
    pub target: Arc<Target>,
    /// Business Central's response.
    pub response: Response<UpstreamBody>,
    /// What happens to its body.
    pub plan: BodyPlan,
}

impl Received {
    /// What this client receives of a response that may also be for others.
    pub fn by(exchange: &Exchange, target: Arc<Target>, response: Response<UpstreamBody>) -> Self {
        let plan = BodyPlan::of(exchange, &target, response.status(), response.headers());
        Self { target, response, plan }
    }
}
