//! The attempts at a request: each waits for its turn, carries a token, and is judged by what came of it.

use std::sync::Arc;
use std::time::Duration;

use hyper::header::{HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use tokio::time::Instant;
use tower::Service;

use super::authorize::Draft;
use super::exchange::Exchange;
use super::forward::{Fault, Unanswered};
use super::gate::{Client, Permit, Refused};
use super::hint;
use super::refusal::{Kind, Refusal};
use super::request_body::RequestBody;
use super::response::MEASURED_BYTES;
use super::retry::{self, Again};
use super::step::Outbound;
use super::treatment::Treatment;
use super::upstream::UpstreamBody;
use crate::entra::Token;
use crate::retry_after::retry_after;

/// One request until its answer.
pub struct Attempts {
    draft: Draft,
    /// After which it is neither waited for a turn nor sent again.
    deadline: Instant,
    /// Sent so often because something failed.
    failures: u32,
    /// Sent so often because Business Central had enough.
    pauses: u32,
    /// The token it did not take.
    refused: Option<Arc<Token>>,
}

/// What one attempt came to.
enum Outcome {
    Answer(Response<UpstreamBody>),
    Again(RequestBody),
}

impl Attempts {
    pub fn new(draft: Draft) -> Self {
        let deadline = Instant::now() + draft.route.destination.patience();
        draft.route.destination.budget.earn();
        Self { draft, deadline, failures: 0, pauses: 0, refused: None }
    }

    /// Business Central's answer, or why there is none.
    pub async fn run<S>(mut self, mut body: RequestBody, mut inner: S) -> Result<Response<UpstreamBody>, Refusal>
    where
        S: Service<Outbound, Response = Response<UpstreamBody>, Error = Unanswered>,
    {
        loop {
            // Before its turn: a turn is too good to be spent on waiting for Entra.
            let tokens = &self.draft.route.destination.tokens;
            match &self.refused {
                Some(refused) => tokens.token_after(refused).await?,
                None => tokens.token().await?,
            };
            let permit = self.turn().await?;
            let token = self.draft.route.destination.tokens.token().await?;
            let at_hand = body.again();
            match inner.call(self.draft.with(&token, body)).await {
                Ok(answer) => match self.judge(answer, permit, at_hand, token).await? {
                    Outcome::Answer(answer) => return Ok(answer),
                    Outcome::Again(again) => body = again,
                },
                Err(Unanswered { fault, body: untouched }) => {
                    drop(permit);
                    body = self.after_fault(fault, untouched.or(at_hand)).await?;
                }
            }
            self.draft.exchange.sent_again();
        }
    }

    /// Waits until the gate lets it through. Nothing was sent so far, so a client that leaves takes its request with it.
    async fn turn(&self) -> Result<Option<Permit>, Refusal> {
        let Some(gate) = self.draft.gate() else { return Ok(None) };
        let exchange = &self.draft.exchange;
        let is_again = self.failures > 0 || self.pauses > 0 || self.refused.is_some();
        let program = (self.draft.route.settings.path.as_str(), exchange.user_agent.as_ref());
        let client = Client::new(exchange.client.ip(), program);
        let waiting = gate.enter(client, self.deadline, is_again);
        let permit = tokio::select! {
            biased;
            permit = waiting => permit,
            () = left(exchange) => return Err(Fault::ClientGone.into()),
        };
        match permit {
            Ok(permit) => {
                exchange.queued(permit.waited, permit.before);
                Ok(Some(permit))
            }
            Err(refused) => Err(self.busy(refused)),
        }
    }

    fn busy(&self, refused: Refused) -> Refusal {
        let connector = &self.draft.route.destination.connector.name;
        let (why, pause) = match refused {
            Refused::Full { retry_after } => ("as many as `queue` of its `limits` allows wait already", retry_after),
            Refused::TooLate { retry_after } => {
                ("it did not have its turn within the time `wait` of its `limits` allows", retry_after)
            }
        };
        let message = format!(
            "Too many requests for connector `{connector}` at once: Business Central takes only so many from one application, and {why}. \
             Nothing was carried out; send it again later."
        );
        Refusal::new(Kind::Busy, message).retry_after(pause)
    }

    async fn judge(
        &mut self,
        mut answer: Response<UpstreamBody>,
        permit: Option<Permit>,
        at_hand: Option<RequestBody>,
        token: Arc<Token>,
    ) -> Result<Outcome, Refusal> {
        if answer.status() == StatusCode::UNAUTHORIZED {
            // Its connection and its turn are free for others before we ask Entra.
            drop((answer, permit));
            return self.renew(token, at_hand).map(Outcome::Again);
        }
        let Draft { route, company, .. } = &self.draft;
        route.suspicion.lift(*company);
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
            return self.after_fault(Fault::CutShort(error), at_hand).await.map(Outcome::Again);
        }
        let hold = |mut answer: Response<UpstreamBody>| {
            answer.body_mut().hold(permit);
            Ok(Outcome::Answer(answer))
        };
        match (again, at_hand) {
            (Some(Again::AfterPause(pause)), at_hand) => {
                let pause = pause.unwrap_or_else(|| retry::pause(self.pauses));
                self.pauses += 1;
                if let Some(gate) = self.draft.gate() {
                    gate.pause(pause);
                }
                let Some(body) = at_hand.filter(|_| Instant::now() + pause < self.deadline) else {
                    let seconds = pause.as_millis().div_ceil(1000).max(1);
                    if let Ok(seconds) = HeaderValue::try_from(seconds.to_string()) {
                        answer.headers_mut().entry(RETRY_AFTER).or_insert(seconds);
                    }
                    return hold(answer);
                };
                drop((answer, hold));
                if self.draft.gate().is_none() {
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
            true => hint::code_of(answer).await.map_err(Fault::CutShort)?,
            false => None,
        };
        Ok(retry::after_answer(only_reads, retry::Answer { status, retry_after, code: code.as_deref() }))
    }

    /// The body once more, when a new token may mend what was refused.
    fn renew(&mut self, token: Arc<Token>, at_hand: Option<RequestBody>) -> Result<RequestBody, Refusal> {
        let Draft { route, company, .. } = &self.draft;
        if self.refused.is_some() {
            route.suspicion.clear_of(&token, *company);
            return Err(route.destination.credentials_refused(&token));
        }
        if !route.suspicion.falls_on(&token, *company) {
            return Err(route.destination.credentials_refused(&token));
        }
        let Some(body) = at_hand else {
            route.destination.tokens.suspect(&token);
            return Err(Refusal::new(Kind::TokenRenewed, TOKEN_RENEWED).retry_after(Duration::from_secs(1)));
        };
        self.refused = Some(token);
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
            () = left(&self.draft.exchange) => Err(Fault::ClientGone.into()),
        }
    }
}

/// Ends when the client has left a request of which nothing is under way.
///
/// One that said it would close may only mean that it has no more to send.
async fn left(exchange: &Exchange) {
    if exchange.keeps_connection() {
        exchange.client.closed_by_client().await;
    } else {
        std::future::pending().await
    }
}

const TOKEN_RENEWED: &str = "Business Central did not take the token that was current when this large request began, and nothing of the request was \
     carried out; the token is being renewed, send the request again.";
