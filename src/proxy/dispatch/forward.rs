//! Forwarding: the request goes to Business Central once, and the answer's head comes back or a reason why not.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Response;
use tokio::time::Instant;
use tower::Service;

use super::upstream::{self, Reason, UpstreamBody};
use crate::error_chain::root_cause;
use crate::outbound::Unreachable;
use crate::proxy::body::request_body::{Progress, RequestBody};
use crate::proxy::rejection::{Kind, Refusal};
use crate::proxy::step::Outbound;

/// The last step on the way out.
#[derive(Debug, Clone)]
pub struct Forward;

/// A request without an answer.
#[derive(Debug)]
pub struct Unanswered {
    pub fault: Fault,
    /// Its body, if nothing of it was touched.
    pub body: Option<RequestBody>,
}

/// Why a request was sent and not answered, or not sent.
#[derive(Debug)]
pub enum Fault {
    /// There is no connection to be had.
    Unreachable(Unreachable),
    /// The connection broke before a byte of the request was written.
    Unsent(hyper::Error),
    /// The connection broke later.
    Broken(hyper::Error),
    /// The connection broke in the middle of the answer, of which nothing was handed on.
    CutShort(hyper::Error),
    /// The answer did not come within this time.
    TooLate(Duration),
    /// Nobody waits for the answer any more.
    ClientGone,
    /// The client did not send all of the body.
    BodyBroken,
}

impl Service<Outbound> for Forward {
    type Response = Response<UpstreamBody>;
    type Error = Unanswered;
    type Future = Pin<Box<dyn Future<Output = Result<Response<UpstreamBody>, Unanswered>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Unanswered>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, outbound: Outbound) -> Self::Future {
        Box::pin(forward(outbound))
    }
}

async fn forward(outbound: Outbound) -> Result<Response<UpstreamBody>, Unanswered> {
    let Outbound { exchange, route, request, ends_with_its_client } = outbound;
    let progress = request.body().progress();
    let limit = route.settings.timeouts.head;
    let sent_at = Instant::now();
    let result = tokio::select! {
        result = route.destination.upstream.send(request) => result,
        () = too_late(sent_at, limit, progress.as_deref()) => return Err(Fault::TooLate(limit).into()),
        () = exchange.client.closed_by_client(), if ends_with_its_client => return Err(Fault::ClientGone.into()),
    };
    exchange.answered_upstream(sent_at.elapsed());
    result.map_err(|upstream::Unanswered { reason, unsent }| Unanswered {
        fault: match reason {
            _ if progress.is_some_and(|progress| progress.failed()) => Fault::BodyBroken,
            Reason::Unreachable(unreachable) => Fault::Unreachable(unreachable),
            Reason::Unsent(error) => Fault::Unsent(error),
            Reason::Broken(error) => Fault::Broken(error),
        },
        body: unsent.map(|request| request.into_body()),
    })
}

/// Ends when the answer's head is overdue: `limit` after the request's last piece was taken.
async fn too_late(sent_at: Instant, limit: Duration, progress: Option<&Progress>) {
    loop {
        let last = progress.map_or(sent_at, |progress| progress.last().max(sent_at));
        if last.elapsed() >= limit {
            return;
        }
        tokio::time::sleep_until(last + limit).await;
    }
}

impl From<Fault> for Unanswered {
    fn from(fault: Fault) -> Self {
        Self { fault, body: None }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Unreachable(unreachable) => {
                Self::new(Kind::Unreachable(unreachable.failure), format!("{unreachable}. Nothing was carried out."))
            }
            Fault::Unsent(error) => {
                let cause = root_cause(&error);
                let message = format!(
                    "The connection to Business Central broke before anything of the request was sent ({cause}). Nothing was carried out."
                );
                Self::new(Kind::AnswerBroken, message)
            }
            Fault::Broken(error) => {
                let cause = root_cause(&error);
                let message = format!(
                    "The connection to Business Central broke before it answered ({cause}). Whether it carried the request out is not known: \
                     look before you repeat it."
                );
                Self::new(Kind::AnswerBroken, message)
            }
            Fault::CutShort(error) => Self::broken_answer(root_cause(&error)),
            Fault::TooLate(limit) => {
                let message = format!(
                    "Business Central did not answer within {} s. Whether it carried the request out is not known: look before you repeat it.",
                    limit.as_secs_f32()
                );
                Self::new(Kind::AnswerTimeout, message)
            }
            Fault::ClientGone => {
                Self::new(Kind::ClientGone, "The client closed the connection before it was answered.")
            }
            Fault::BodyBroken => {
                let message = "The request's body broke off while it was being forwarded; Business Central got only a part and discards it.";
                Self::new(Kind::ClientGone, message)
            }
        }
    }
}
