//! The attempts at one request: each has an application, a token and a permit, and ends with a response or a retry.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use hyper::Response;
use tower::retry::budget::Budget;

use super::fault::{Fault, Unanswered};
use super::forward::forward;
use crate::entra::Token;
use crate::proxy::body::request_body::RequestBody;
use crate::proxy::environment::application_pool::Member;
use crate::proxy::environment::token_attempts::TokenAttempts;
use crate::proxy::limiter::{Permit, Priority};
use crate::proxy::rejection::Rejection;
use crate::proxy::request::draft::{Draft, Drafted};
use crate::proxy::response::body_plan::BodyPlan;
use crate::proxy::step::Received;
use crate::proxy::upstream::UpstreamBody;

/// The step that makes attempts until there is a response.
pub async fn attempt(Drafted { draft, body }: Drafted) -> Result<Received, Rejection> {
    let target = draft.target.clone();
    let mut dispatch = Dispatch::new(draft);
    let (response, plan) = dispatch.run(body).await?;
    Ok(Received { target, response, plan })
}

/// One request until its response.
pub struct Dispatch {
    pub(super) draft: Box<Draft>,
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
pub type AttemptOutcome = ControlFlow<PlannedResponse, RequestBody>;

/// A response, and what happens to its body.
pub type PlannedResponse = (Response<UpstreamBody>, BodyPlan);

impl Dispatch {
    fn new(draft: Box<Draft>) -> Self {
        draft.connector().retry_budget.deposit();
        let tokens = TokenAttempts::default();
        Self { draft, faults: 0, throttled: 0, priority: Priority::New, waited: Duration::ZERO, tokens }
    }

    /// Business Central's response, or why there is none.
    async fn run(&mut self, mut body: RequestBody) -> Result<PlannedResponse, Rejection> {
        loop {
            let attempt = self.acquire().await?;
            let replay = body.replay();
            self.draft.exchange.notes.count_attempt();
            match forward(&self.draft, &attempt.token, body).await {
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

    /// Waits, unless the client leaves.
    pub(super) async fn sleep(&self, time: Duration) -> Result<(), Rejection> {
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            () = self.draft.abandoned() => Err(Fault::ClientGone.into()),
        }
    }
}
