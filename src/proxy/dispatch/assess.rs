//! What follows from an attempt: the response is the client's, or there is another attempt.

use std::ops::ControlFlow;
use std::sync::Arc;

use hyper::header::{HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use tokio::time::Instant;
use tower::retry::budget::Budget;

use super::attempts::{Attempt, AttemptOutcome, Dispatch};
use super::fault::Fault;
use crate::entra::ClaimsChallenge;
use crate::outbound::retry_after;
use crate::proxy::body::request_body::RequestBody;
use crate::proxy::rejection::Rejection;
use crate::proxy::request::draft::Draft;
use crate::proxy::response::body_plan::BodyPlan;
use crate::proxy::response::diagnosis;
use crate::proxy::response::relay::MEASURED_BYTES;
use crate::proxy::retry::{self, Retry};
use crate::proxy::upstream::UpstreamBody;

impl Dispatch {
    /// What follows from a response. `replay`: the request's body, for another attempt.
    pub(super) async fn after_response(
        &mut self,
        mut response: Response<UpstreamBody>,
        Attempt { member, token, permit }: Attempt,
        replay: RequestBody,
    ) -> Result<AttemptOutcome, Rejection> {
        if response.status() == StatusCode::UNAUTHORIZED {
            let challenge = ClaimsChallenge::from_headers(response.headers());
            let ids = self.draft.exchange.response_ids(response.headers());
            // Connection and permit are free for others before Entra is asked.
            drop((response, permit));
            let unauthorized = self.tokens.unauthorized(self.draft.token_scope(), member, token, challenge);
            unauthorized.map_err(|rejection| rejection.caused_by(ids))?;
            return Ok(ControlFlow::Continue(replay));
        }
        self.draft.token_scope().accepted(&member);
        if response.status() == StatusCode::NOT_FOUND && self.draft.company.is_some() {
            self.draft.route().recheck_company();
        }
        let retry = match response.status() {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE => {
                self.retry(&mut response, &replay).await?
            }
            _ => None,
        };
        let Draft { exchange, target, .. } = &*self.draft;
        let plan = BodyPlan::of(exchange, target, response.status(), response.headers());
        if retry.is_none()
            && plan.changes_body()
            && let Err(error) = self.read_ahead(&mut response).await
        {
            let fault = self.cut_short(error, &response);
            drop((response, permit));
            return Box::pin(self.after_fault(fault, replay)).await.map(ControlFlow::Continue);
        }
        let client = self.draft.exchange.client.clone();
        let hold = |mut response: Response<UpstreamBody>| {
            // Most small responses have arrived by now: their permit is released here, without an allocation.
            if let Some(permit) = permit.filter(|_| !response.body().has_arrived()).map(Arc::new) {
                client.set_contended(Arc::downgrade(&permit));
                response.body_mut().hold(permit);
            }
            Ok(ControlFlow::Break((response, plan)))
        };
        match retry {
            Some(Retry::AfterPause(pause)) => {
                let pause = pause.unwrap_or_else(|| retry::throttle_pause(self.throttled));
                self.throttled += 1;
                let is_soap = self.draft.target.resource.is_soap();
                let others_take_over = self.draft.connector().throttle(&member, is_soap, response.status(), pause);
                let is_within_deadline = others_take_over || Instant::now() + pause < self.draft.deadline;
                if !is_within_deadline {
                    let seconds = pause.as_millis().div_ceil(1000).max(1);
                    if let Ok(seconds) = HeaderValue::try_from(seconds.to_string()) {
                        response.headers_mut().entry(RETRY_AFTER).or_insert(seconds);
                    }
                    return hold(response);
                }
                drop((response, hold));
                if self.draft.limiter(&member).is_none() {
                    // Without a limiter, nothing else keeps the retries from arriving all at once.
                    self.sleep(pause + retry::back_off(self.throttled)).await?;
                }
                Ok(ControlFlow::Continue(replay))
            }
            Some(Retry::AfterBackOff) if self.may_retry() => {
                drop((response, hold));
                self.sleep(retry::back_off(self.faults)).await?;
                Ok(ControlFlow::Continue(replay))
            }
            _ => hold(response),
        }
    }

    /// Reads the beginning of a body that is changed on its way: until it has arrived, nothing was forwarded and a
    /// retry is possible.
    async fn read_ahead(&self, response: &mut Response<UpstreamBody>) -> Result<(), hyper::Error> {
        let idle = self.draft.route().settings.timeouts.body_idle;
        response.body_mut().read_ahead(MEASURED_BYTES, idle).await.map(drop)
    }

    async fn retry(
        &self,
        response: &mut Response<UpstreamBody>,
        replay: &RequestBody,
    ) -> Result<Option<Retry>, Rejection> {
        let only_reads = self.draft.only_reads(Some(replay));
        let retry_after = retry_after(response.headers());
        let status = response.status();
        let code = match !only_reads && status == StatusCode::SERVICE_UNAVAILABLE && retry_after.is_some() {
            true => diagnosis::code_of(response).await.map_err(|error| self.cut_short(error, response))?,
            false => None,
        };
        Ok(retry::after_response(only_reads, retry::Answered { status, retry_after, code: code.as_deref() }))
    }

    /// The fault of a response that broke off.
    fn cut_short(&self, error: hyper::Error, response: &Response<UpstreamBody>) -> Fault {
        Fault::CutShort(error, self.draft.exchange.response_ids(response.headers()))
    }

    /// The body for another attempt after a fault, where a retry is safe and the budget allows it.
    pub(super) async fn after_fault(&mut self, fault: Fault, replay: RequestBody) -> Result<RequestBody, Rejection> {
        let is_safe = fault.allows_retry(|| self.draft.only_reads(Some(&replay)));
        if !is_safe || !self.may_retry() {
            return Err(fault.into());
        }
        self.sleep(retry::back_off(self.faults)).await?;
        Ok(replay)
    }

    /// Counts a fault. Whether another attempt is allowed.
    fn may_retry(&mut self) -> bool {
        self.faults += 1;
        let connector = self.draft.connector();
        self.faults <= retry::MAX_RETRIES && Instant::now() < self.draft.deadline && connector.retry_budget.withdraw()
    }
}
