//! The attempts at a request: each waits for its turn, carries a token, and is judged by what came of it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::header::{HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use tokio::time::Instant;
use tower::Service;

use super::forward::{Fault, Unanswered};
use super::limiter::{Client, Coming, Permit, Refused};
use super::retry::{self, Again};
use super::upstream::UpstreamBody;
use crate::entra::{ClaimsChallenge, ClientId, Token};
use crate::outbound::retry_after;
use crate::proxy::body::request_body::RequestBody;
use crate::proxy::environment::application_pool::Member;
use crate::proxy::rejection::{Kind, Refusal};
use crate::proxy::request::authorize::Draft;
use crate::proxy::response::body_plan::Treatment;
use crate::proxy::response::diagnosis;
use crate::proxy::response::respond::MEASURED_BYTES;
use crate::proxy::step::{Drafted, Outbound};

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
    type Response = Response<UpstreamBody>;
    type Error = Refusal;
    type Future = Pin<Box<dyn Future<Output = Result<Response<UpstreamBody>, Refusal>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        self.inner.poll_ready(context).map_err(|unanswered| unanswered.fault.into())
    }

    fn call(&mut self, Drafted { draft, body }: Drafted) -> Self::Future {
        Box::pin(Undertaking::new(draft).run(body, self.inner.clone()))
    }
}

/// One request until its answer.
struct Undertaking {
    draft: Draft,
    /// After which it is neither waited for a turn nor sent again.
    deadline: Instant,
    /// Sent so often because something failed.
    failures: u32,
    /// Sent so often because Business Central had enough.
    pauses: u32,
    /// How it comes to the next gate.
    coming: Coming,
    /// The token Business Central did not take, and whose it is.
    refused: Option<(Arc<Member>, Arc<Token>)>,
    /// The applications that can't have it done.
    given_up: Vec<ClientId>,
}

/// What one attempt is made with.
struct Turn {
    member: Arc<Member>,
    token: Arc<Token>,
    permit: Option<Permit>,
}

/// What one attempt came to.
enum Outcome {
    Answer(Response<UpstreamBody>),
    Again(RequestBody),
}

impl Undertaking {
    fn new(draft: Draft) -> Self {
        let deadline = Instant::now() + draft.route.destination.patience();
        draft.route.destination.budget.earn();
        Self { draft, deadline, failures: 0, pauses: 0, coming: Coming::New, refused: None, given_up: Vec::new() }
    }

    /// Business Central's answer, or why there is none.
    async fn run<S>(mut self, mut body: RequestBody, mut inner: S) -> Result<Response<UpstreamBody>, Refusal>
    where
        S: Service<Outbound, Response = Response<UpstreamBody>, Error = Unanswered>,
    {
        loop {
            let turn = self.turn().await?;
            let at_hand = body.again();
            self.draft.exchange.sends();
            match inner.call(self.draft.with(&turn.token, body)).await {
                Ok(answer) => match self.judge(answer, turn, at_hand).await? {
                    Outcome::Answer(answer) => return Ok(answer),
                    Outcome::Again(again) => body = again,
                },
                Err(Unanswered { fault, body: untouched }) => {
                    drop(turn);
                    // On the heap, as all that is rare: each request would carry the room for it along.
                    body = Box::pin(self.after_fault(fault, untouched.or(at_hand))).await?;
                }
            }
            self.coming = Coming::Again;
        }
    }

    /// Waits until one of the applications has a token and its gate lets the request through.
    async fn turn(&mut self) -> Result<Turn, Refusal> {
        loop {
            let member = self.member()?;
            self.draft.exchange.goes_as(member.client_id);
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
                    return Ok(Turn { member, token, permit });
                }
                Err(Refused::SentAway) if self.coming == Coming::New => self.coming = Coming::Moved,
                Err(Refused::SentAway) => {}
                Err(Refused::Full { retry_after }) => {
                    return Err(self.busy("as many as `queue` of its `limits` allows wait already", retry_after));
                }
                Err(Refused::TooLate { retry_after }) => {
                    let why = "it did not have its turn within the time `wait` of its `limits` allows";
                    return Err(self.busy(why, retry_after));
                }
            }
        }
    }

    /// As which application it goes out next.
    fn member(&self) -> Result<Arc<Member>, Refusal> {
        let Draft { route, company, .. } = &self.draft;
        match &self.refused {
            Some((member, _)) => Ok(member.clone()),
            None => route
                .destination
                .pool
                .choose(&route.suspicion, *company, &self.given_up)
                .ok_or_else(Refusal::no_application),
        }
    }

    /// This application can't have it done; whether there is another one.
    fn give_up(&mut self, member: &Member) -> bool {
        self.refused = None;
        self.given_up.push(member.client_id);
        self.given_up.len() < self.draft.route.destination.pool.members().count()
    }

    /// Waits at the gate. Nothing was sent so far, so a client that leaves takes its request with it.
    async fn permit(&self, member: &Member) -> Result<Result<Option<Permit>, Refused>, Refusal> {
        let Some(gate) = self.draft.gate(member) else { return Ok(Ok(None)) };
        let exchange = &self.draft.exchange;
        let program = (self.draft.route.settings.path.as_str(), exchange.user_agent.as_ref());
        let client = Client::new(exchange.client.ip(), program);
        tokio::select! {
            biased;
            permit = gate.enter(client, self.deadline, self.coming) => Ok(permit.map(|permit| {
                exchange.queued(permit.waited, permit.before);
                Some(permit)
            })),
            () = self.draft.left() => Err(Fault::ClientGone.into()),
        }
    }

    fn busy(&self, why: &str, pause: Duration) -> Refusal {
        let connector = &self.draft.route.destination.connector.name;
        let message = format!(
            "Too many requests for connector `{connector}` at once: Business Central takes only so many from one application, and {why}. \
             Nothing was carried out; send it again later."
        );
        Refusal::new(Kind::Busy, message).retry_after(pause)
    }

    async fn judge(
        &mut self,
        mut answer: Response<UpstreamBody>,
        Turn { member, token, permit }: Turn,
        at_hand: Option<RequestBody>,
    ) -> Result<Outcome, Refusal> {
        if answer.status() == StatusCode::UNAUTHORIZED {
            if let Some(challenge) = ClaimsChallenge::of(answer.headers()) {
                member.tokens.answer_challenge(&token, challenge);
            }
            // Its connection and its turn are free for others before we ask Entra.
            drop((answer, permit));
            return self.renew(member, token, at_hand).map(Outcome::Again);
        }
        let Draft { route, company, .. } = &self.draft;
        route.suspicion.lift(self.draft.case(&member));
        if answer.status() == StatusCode::NOT_FOUND && company.is_some() {
            route.doubt_company();
        }
        let again = match answer.status() {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE => {
                self.again(&mut answer, at_hand.as_ref()).await?
            }
            _ => None,
        };
        if again.is_none()
            && let Err(error) = self.read_ahead(&mut answer).await
        {
            drop((answer, permit));
            return Box::pin(self.after_fault(Fault::CutShort(error), at_hand)).await.map(Outcome::Again);
        }
        let client = self.draft.exchange.client.clone();
        let hold = |mut answer: Response<UpstreamBody>| {
            client.keeps(answer.body_mut().hold(permit));
            Ok(Outcome::Answer(answer))
        };
        match (again, at_hand) {
            (Some(Again::AfterPause(pause)), at_hand) => {
                let pause = pause.unwrap_or_else(|| retry::pause(self.pauses));
                self.pauses += 1;
                let mut goes_on_elsewhere = false;
                if let Some(gate) = self.draft.gate(&member) {
                    goes_on_elsewhere = self.draft.can_do_without(&member);
                    if gate.pause(pause) {
                        tracing::warn!(
                            connector = self.draft.route.destination.connector.name, client_id = %member.client_id,
                            "Business Central answered {} and is left alone for {} s: {}",
                            answer.status().as_u16(), pause.as_secs_f32().ceil(), self.draft.who_waits(goes_on_elsewhere)
                        );
                    }
                    if goes_on_elsewhere {
                        gate.send_away();
                    }
                }
                let is_in_time = goes_on_elsewhere || Instant::now() + pause < self.deadline;
                let Some(body) = at_hand.filter(|_| is_in_time) else {
                    let seconds = pause.as_millis().div_ceil(1000).max(1);
                    if let Ok(seconds) = HeaderValue::try_from(seconds.to_string()) {
                        answer.headers_mut().entry(RETRY_AFTER).or_insert(seconds);
                    }
                    return hold(answer);
                };
                drop((answer, hold));
                if self.draft.gate(&member).is_none() {
                    // Nobody keeps them from coming back all at once.
                    self.wait(pause + retry::back_off(self.pauses)).await?;
                }
                Ok(Outcome::Again(body))
            }
            (Some(Again::AfterBackOff), Some(body)) if self.may_fail_again() => {
                drop((answer, hold));
                self.wait(retry::back_off(self.failures)).await?;
                Ok(Outcome::Again(body))
            }
            _ => hold(answer),
        }
    }

    /// The beginning of a body that is not handed on as it comes: as long as it has not come, nothing was handed on.
    async fn read_ahead(&self, answer: &mut Response<UpstreamBody>) -> Result<(), hyper::Error> {
        let Draft { exchange, route, .. } = &self.draft;
        if Treatment::of(exchange, answer.status(), answer.headers()).changes_it() {
            answer.body_mut().read_ahead(MEASURED_BYTES, route.settings.timeouts.body_idle).await?;
        }
        Ok(())
    }

    async fn again(
        &self,
        answer: &mut Response<UpstreamBody>,
        at_hand: Option<&RequestBody>,
    ) -> Result<Option<Again>, Refusal> {
        let only_reads = self.draft.only_reads(at_hand);
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
        at_hand: Option<RequestBody>,
    ) -> Result<RequestBody, Refusal> {
        let Draft { route, .. } = &self.draft;
        let case = self.draft.case(&member);
        let is_fresh = self.refused.is_some();
        if is_fresh {
            route.suspicion.clear_of(&token, case);
        }
        if is_fresh || !route.suspicion.falls_on(&token, case) {
            let refusal = route.destination.credentials_refused(&member, &token);
            let (true, Some(body)) = (self.give_up(&member), at_hand) else { return Err(refusal) };
            tracing::warn!(client_id = %member.client_id, "another application takes over: {}", refusal.message);
            return Ok(body);
        }
        let Some(body) = at_hand else {
            member.tokens.suspect(&token);
            return Err(Refusal::new(Kind::TokenRenewed, TOKEN_RENEWED).retry_after(Duration::from_secs(1)));
        };
        self.refused = Some((member, token));
        Ok(body)
    }

    async fn after_fault(&mut self, fault: Fault, at_hand: Option<RequestBody>) -> Result<RequestBody, Refusal> {
        let again = retry::after_fault(|| self.draft.only_reads(at_hand.as_ref()), &fault);
        match at_hand {
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
        let destination = &self.draft.route.destination;
        self.failures <= retry::MOST_FAILURES && Instant::now() < self.deadline && destination.budget.spend()
    }

    async fn wait(&self, time: Duration) -> Result<(), Refusal> {
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            () = self.draft.left() => Err(Fault::ClientGone.into()),
        }
    }
}

const TOKEN_RENEWED: &str = "Business Central did not take the token that was current when this large request began, and nothing of the request was \
     carried out; the token is being renewed, send the request again.";
