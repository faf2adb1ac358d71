//! The attempts at a request: each waits for its turn, carries a token, and is judged by what came of it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::header::{HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use tokio::time::Instant;
use tower::Service;

use super::fault::{Fault, Unanswered};
use super::forward::Outbound;
use super::limiter::{AcquireError, ClientKey, Permit, Priority};
use super::retry::{self, Again};
use super::upstream::UpstreamBody;
use crate::entra::{ClaimsChallenge, ClientId, Token};
use crate::outbound::retry_after;
use crate::proxy::body::request_body::RequestBody;
use crate::proxy::environment::application_pool::Member;
use crate::proxy::notes::Queued;
use crate::proxy::rejection::{Kind, Rejection};
use crate::proxy::request::draft::{Draft, Drafted};
use crate::proxy::response::body_plan::BodyPlan;
use crate::proxy::response::diagnosis;
use crate::proxy::response::relay::MEASURED_BYTES;
use crate::proxy::step::Received;

/// The step that sees a request through to its answer.
#[derive(Debug, Clone)]
pub struct Attempts<S> {
    inner: S,
}

impl<S> Attempts<S> {
    pub fn new(inner: S) -> Self {
        Self { inner }
    }
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

/// One request until its answer.
struct Dispatch {
    draft: Draft,
    /// After which it is neither waited for a turn nor sent again.
    deadline: Instant,
    /// Sent so often because something failed.
    failures: u32,
    /// Sent so often because Business Central had enough.
    pauses: u32,
    /// How it comes to the next gate.
    priority: Priority,
    /// The token Business Central did not take, and whose it is.
    refused: Option<(Arc<Member>, Arc<Token>)>,
    /// The applications that can't have it done.
    given_up: Vec<ClientId>,
}

/// What one attempt is made with.
struct Attempt {
    member: Arc<Member>,
    token: Arc<Token>,
    permit: Option<Permit>,
}

/// What one attempt came to.
enum Outcome {
    Response(Response<UpstreamBody>),
    Retry(RequestBody),
}

impl Dispatch {
    fn new(draft: Draft) -> Self {
        let deadline = Instant::now() + draft.connector().max_wait();
        draft.connector().retry_budget.earn();
        Self { draft, deadline, failures: 0, pauses: 0, priority: Priority::New, refused: None, given_up: Vec::new() }
    }

    /// Business Central's answer, or why there is none.
    async fn run<S>(mut self, mut body: RequestBody, mut inner: S) -> Result<Response<UpstreamBody>, Rejection>
    where
        S: Service<Outbound, Response = Response<UpstreamBody>, Error = Unanswered>,
    {
        loop {
            let attempt = self.acquire().await?;
            let replay = body.replay();
            self.draft.exchange.notes.count_attempt();
            match inner.call(self.outbound(&attempt.token, body)).await {
                Ok(answer) => match self.judge(answer, attempt, replay).await? {
                    Outcome::Response(answer) => return Ok(answer),
                    Outcome::Retry(again) => body = again,
                },
                Err(Unanswered { fault, body: untouched }) => {
                    drop(attempt);
                    // On the heap, as all that is rare: each request would carry the room for it along.
                    body = Box::pin(self.after_fault(fault, untouched.or(replay))).await?;
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

    /// Waits until one of the applications has a token and its gate lets the request through.
    async fn acquire(&mut self) -> Result<Attempt, Rejection> {
        loop {
            let member = self.member()?;
            self.draft.exchange.notes.set_application(member.client_id);
            // Before its turn: a turn is too good to be spent on waiting for Entra.
            let token = match &self.refused {
                Some((_, refused)) => member.tokens.token_after(refused).await,
                None => member.tokens.token().await,
            };
            match token {
                Ok(_) => {}
                Err(_) if self.give_up(&member) => continue,
                Err(unavailable) => return Err(unavailable.into()),
            }
            match self.permit(&member).await? {
                Ok(permit) => {
                    let token = member.tokens.token().await?;
                    return Ok(Attempt { member, token, permit });
                }
                Err(AcquireError::Evicted) if self.priority == Priority::New => self.priority = Priority::Requeued,
                Err(AcquireError::Evicted) => {}
                Err(AcquireError::Full { retry_after }) => {
                    return Err(self.busy("as many as `queue` of its `limits` allows wait already", retry_after));
                }
                Err(AcquireError::TimedOut { retry_after }) => {
                    let why = "it did not have its turn within the time `wait` of its `limits` allows";
                    return Err(self.busy(why, retry_after));
                }
            }
        }
    }

    /// As which application it goes out next.
    fn member(&self) -> Result<Arc<Member>, Rejection> {
        let (route, company) = (self.draft.route(), self.draft.company);
        match &self.refused {
            Some((member, _)) => Ok(member.clone()),
            None => route
                .connector
                .pool
                .choose(&route.rejected_tokens, company, &self.given_up)
                .ok_or_else(Rejection::no_application),
        }
    }

    /// This application can't have it done; whether there is another one.
    fn give_up(&mut self, member: &Member) -> bool {
        self.refused = None;
        self.given_up.push(member.client_id);
        self.given_up.len() < self.draft.connector().pool.members().count()
    }

    /// Waits at the gate. Nothing was sent so far, so a client that leaves takes its request with it.
    async fn permit(&self, member: &Member) -> Result<Result<Option<Permit>, AcquireError>, Rejection> {
        let Some(limiter) = self.draft.limiter(member) else { return Ok(Ok(None)) };
        let exchange = &self.draft.exchange;
        let program = (self.draft.route().settings.path.as_str(), exchange.user_agent.as_ref());
        let client = ClientKey::new(exchange.client.ip(), program);
        tokio::select! {
            biased;
            permit = limiter.acquire(client, self.deadline, self.priority) => Ok(permit.map(|permit| {
                exchange.notes.set_queued(Queued { waited: permit.waited, ahead: permit.ahead });
                Some(permit)
            })),
            () = self.draft.abandoned() => Err(Fault::ClientGone.into()),
        }
    }

    fn busy(&self, why: &str, pause: Duration) -> Rejection {
        let connector = &self.draft.connector().settings.name;
        let message = format!(
            "Too many requests for connector `{connector}` at once: Business Central takes only so many from one application, and {why}. \
             Nothing was carried out; send it again later."
        );
        Rejection::new(Kind::Busy, message).retry_after(pause)
    }

    async fn judge(
        &mut self,
        mut answer: Response<UpstreamBody>,
        Attempt { member, token, permit }: Attempt,
        replay: Option<RequestBody>,
    ) -> Result<Outcome, Rejection> {
        if answer.status() == StatusCode::UNAUTHORIZED {
            if let Some(challenge) = ClaimsChallenge::of(answer.headers()) {
                member.tokens.answer_challenge(&token, challenge);
            }
            // Its connection and its turn are free for others before we ask Entra.
            drop((answer, permit));
            return self.renew(member, token, replay).map(Outcome::Retry);
        }
        let (route, company) = (self.draft.route(), self.draft.company);
        route.rejected_tokens.clear(self.draft.case(&member));
        if answer.status() == StatusCode::NOT_FOUND && company.is_some() {
            route.recheck_company();
        }
        let again = match answer.status() {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE => {
                self.again(&mut answer, replay.as_ref()).await?
            }
            _ => None,
        };
        if again.is_none()
            && let Err(error) = self.read_ahead(&mut answer).await
        {
            drop((answer, permit));
            return Box::pin(self.after_fault(Fault::CutShort(error), replay)).await.map(Outcome::Retry);
        }
        let client = self.draft.exchange.client.clone();
        let hold = |mut answer: Response<UpstreamBody>| {
            if let Some(permit) = permit.map(Arc::new) {
                client.set_contended(Arc::downgrade(&permit));
                answer.body_mut().hold(permit);
            }
            Ok(Outcome::Response(answer))
        };
        match (again, replay) {
            (Some(Again::AfterPause(pause)), replay) => {
                let pause = pause.unwrap_or_else(|| retry::pause(self.pauses));
                self.pauses += 1;
                let mut goes_on_elsewhere = false;
                if let Some(limiter) = self.draft.limiter(&member) {
                    goes_on_elsewhere = self.draft.can_do_without(&member);
                    if limiter.pause(pause) {
                        tracing::warn!(
                            connector = self.draft.connector().settings.name, client_id = %member.client_id,
                            "Business Central answered {} and is left alone for {} s: {}",
                            answer.status().as_u16(), pause.as_secs_f32().ceil(), self.draft.who_waits(goes_on_elsewhere)
                        );
                    }
                    if goes_on_elsewhere {
                        limiter.evict();
                    }
                }
                let is_in_time = goes_on_elsewhere || Instant::now() + pause < self.deadline;
                let Some(body) = replay.filter(|_| is_in_time) else {
                    let seconds = pause.as_millis().div_ceil(1000).max(1);
                    if let Ok(seconds) = HeaderValue::try_from(seconds.to_string()) {
                        answer.headers_mut().entry(RETRY_AFTER).or_insert(seconds);
                    }
                    return hold(answer);
                };
                drop((answer, hold));
                if self.draft.limiter(&member).is_none() {
                    // Nobody keeps them from coming back all at once.
                    self.wait(pause + retry::back_off(self.pauses)).await?;
                }
                Ok(Outcome::Retry(body))
            }
            (Some(Again::AfterBackOff), Some(body)) if self.may_fail_again() => {
                drop((answer, hold));
                self.wait(retry::back_off(self.failures)).await?;
                Ok(Outcome::Retry(body))
            }
            _ => hold(answer),
        }
    }

    /// The beginning of a body that is not handed on as it comes: as long as it has not come, nothing was handed on.
    async fn read_ahead(&self, answer: &mut Response<UpstreamBody>) -> Result<(), hyper::Error> {
        let Draft { exchange, target, .. } = &self.draft;
        if BodyPlan::of(exchange, target, answer.status(), answer.headers()).changes_body() {
            answer.body_mut().read_ahead(MEASURED_BYTES, target.route.settings.timeouts.body_idle).await?;
        }
        Ok(())
    }

    async fn again(
        &self,
        answer: &mut Response<UpstreamBody>,
        replay: Option<&RequestBody>,
    ) -> Result<Option<Again>, Rejection> {
        let only_reads = self.draft.only_reads(replay);
        let retry_after = retry_after(answer.headers());
        let status = answer.status();
        let code = match !only_reads && status == StatusCode::SERVICE_UNAVAILABLE && retry_after.is_some() {
            true => diagnosis::code_of(answer).await.map_err(Fault::CutShort)?,
            false => None,
        };
        Ok(retry::after_answer(only_reads, retry::Answer { status, retry_after, code: code.as_deref() }))
    }

    /// The body once more, when a new token or another application may mend what was refused.
    fn renew(
        &mut self,
        member: Arc<Member>,
        token: Arc<Token>,
        replay: Option<RequestBody>,
    ) -> Result<RequestBody, Rejection> {
        let route = self.draft.route();
        let case = self.draft.case(&member);
        let is_fresh = self.refused.is_some();
        if is_fresh {
            route.rejected_tokens.record(&token, case);
        }
        if is_fresh || !route.rejected_tokens.is_worth_a_refresh(&token, case) {
            let rejection = route.connector.credentials_rejected(&member, &token);
            let (true, Some(body)) = (self.give_up(&member), replay) else { return Err(rejection) };
            tracing::warn!(client_id = %member.client_id, "another application takes over: {}", rejection.message);
            return Ok(body);
        }
        let Some(body) = replay else {
            member.tokens.suspect(&token);
            return Err(Rejection::new(Kind::TokenRenewed, TOKEN_RENEWED).retry_after(Duration::from_secs(1)));
        };
        self.refused = Some((member, token));
        Ok(body)
    }

    async fn after_fault(&mut self, fault: Fault, replay: Option<RequestBody>) -> Result<RequestBody, Rejection> {
        let again = retry::after_fault(|| self.draft.only_reads(replay.as_ref()), &fault);
        match replay {
            Some(body) if again.is_some() && self.may_fail_again() => {
                self.wait(retry::back_off(self.failures)).await?;
                Ok(body)
            }
            _ => Err(fault.into()),
        }
    }

    /// Counts a failure; whether the request may be sent once more.
    fn may_fail_again(&mut self) -> bool {
        self.failures += 1;
        let connector = self.draft.connector();
        self.failures <= retry::MOST_FAILURES && Instant::now() < self.deadline && connector.retry_budget.spend()
    }

    async fn wait(&self, time: Duration) -> Result<(), Rejection> {
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            () = self.draft.abandoned() => Err(Fault::ClientGone.into()),
        }
    }
}

const TOKEN_RENEWED: &str = "Business Central did not take the token that was current when this large request began, and nothing of the request was \
     carried out; the token is being renewed, send the request again.";
