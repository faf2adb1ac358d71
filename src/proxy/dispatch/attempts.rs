//! The attempts at one request: each has an application, a token and a permit, and ends with a response or a retry.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Response;
use tower::Service;
use tower::retry::budget::Budget;

use super::fault::{Fault, Unanswered};
use super::forward::Outbound;
use crate::entra::Token;
use crate::proxy::body::request_body::RequestBody;
use crate::proxy::environment::application_pool::Member;
use crate::proxy::environment::token_attempts::TokenAttempts;
use crate::proxy::limiter::{Permit, Priority};
use crate::proxy::rejection::Rejection;
use crate::proxy::request::draft::{Draft, Drafted};
use crate::proxy::step::Received;
use crate::proxy::upstream::UpstreamBody;

/// The step that makes attempts until there is a response.
#[derive(Debug, Clone)]
pub struct Attempts<S> {
    /// Makes one attempt.
    pub inner: S,
}

impl<S> Service<Drafted> for Attempts<S>
where
    S: Service<Outbound, Response = Response<UpstreamBody>, Error = Unanswered, Future: Send> + Clone + Send + 'static,
{
    type Response = Received;
    type Error = Rejection;
    type Future = Pin<Box<dyn Future<Output = Result<Received, Rejection>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Rejection>> {
        self.inner.poll_ready(context).map_err(|unanswered| unanswered.fault.into())
    }

    fn call(&mut self, Drafted { draft, body }: Drafted) -> Self::Future {
        let (target, inner) = (draft.target.clone(), self.inner.clone());
        Box::pin(async move {
            let response = Dispatch::new(draft).run(body, inner).await?;
            Ok(Received { target, response })
        })
    }
}

/// One request until its response.
pub struct Dispatch {
    pub(super) draft: Draft,
    /// Attempts that failed.
    pub(super) faults: u32,
    /// Attempts that Business Central throttled.
    pub(super) throttled: u32,
    /// Priority with which it enters the next limiter.
    pub(super) priority: Priority,
    /// Time in the queues of limiters.
    pub(super) waited: Duration,
    /// The applications and tokens tried so far.
    pub(super) tokens: TokenAttempts,
}

/// What one attempt is made with.
pub struct Attempt {
    pub(super) member: Arc<Member>,
    pub(super) token: Arc<Token>,
    /// `None` when limits are off.
    pub(super) permit: Option<Permit>,
}

/// What follows from one attempt: its response is the client's, or there is another attempt, with this body.
pub type AttemptOutcome = ControlFlow<Response<UpstreamBody>, RequestBody>;

impl Dispatch {
    fn new(draft: Draft) -> Self {
        draft.connector().retry_budget.deposit();
        let tokens = TokenAttempts::default();
        Self { draft, faults: 0, throttled: 0, priority: Priority::New, waited: Duration::ZERO, tokens }
    }

    /// Business Central's response, or why there is none.
    async fn run<S>(mut self, mut body: RequestBody, mut inner: S) -> Result<Response<UpstreamBody>, Rejection>
    where
        S: Service<Outbound, Response = Response<UpstreamBody>, Error = Unanswered>,
    {
        loop {
            let attempt = self.acquire().await?;
            let replay = body.replay();
            self.draft.exchange.notes.count_attempt();
            match inner.call(self.outbound(&attempt.token, body)).await {
                Ok(response) => match self.after_response(response, attempt, replay).await? {
                    ControlFlow::Break(response) => return Ok(response),
                    ControlFlow::Continue(replay) => body = replay,
                },
                Err(Unanswered { fault, body: untouched }) => {
                    drop(attempt);
                    // Boxed because it is rare: otherwise every request's future would be larger by it.
                    body = Box::pin(self.after_fault(fault, untouched.unwrap_or(replay))).await?;
                }
            }
            self.priority = Priority::Retry;
        }
    }

    fn outbound(&self, token: &Token, body: RequestBody) -> Outbound {
        let Draft { exchange, target, .. } = &self.draft;
        Outbound {
            exchange: exchange.clone(),
            route: target.route.clone(),
            request: self.draft.with(token, body),
            cancel_on_disconnect: self.draft.cancel_on_disconnect(),
        }
    }

    /// Waits, unless the client leaves.
    pub(super) async fn sleep(&self, time: Duration) -> Result<(), Rejection> {
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            () = self.draft.abandoned() => Err(Fault::ClientGone.into()),
        }
    }
}
