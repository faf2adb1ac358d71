//! Forwarding: one attempt is sent to Business Central, and the head of its response comes back or the reason why there
//! is none.

use std::sync::Arc;
use std::time::Duration;

use hyper::{Request, Response};
use tokio::time::Instant;

use super::fault::{Fault, Unanswered};
use crate::proxy::body::request_body::Progress;
use crate::proxy::body::request_body::RequestBody;
use crate::proxy::environment::route::Route;
use crate::proxy::exchange::Exchange;
use crate::proxy::upstream::{SendError, SendFailure, UpstreamBody};

/// One attempt.
#[derive(Debug)]
pub struct Outbound {
    /// The facts about the client's request.
    pub exchange: Arc<Exchange>,
    /// The route it takes.
    pub route: Arc<Route>,
    /// The request as it is sent.
    pub request: Request<RequestBody>,
    /// Whether it is canceled when its client disconnects.
    pub cancel_on_disconnect: bool,
}

/// The last step on the way to Business Central.
pub async fn forward(outbound: Outbound) -> Result<Response<UpstreamBody>, Unanswered> {
    let Outbound { exchange, route, request, cancel_on_disconnect } = outbound;
    let progress = request.body().progress();
    let limit = route.settings.timeouts.head;
    let sent_at = Instant::now();
    let result = tokio::select! {
        result = route.connector.upstream.send(request) => result,
        () = overdue(sent_at, limit, progress.as_deref()) => return Err(Fault::TimedOut(limit).into()),
        () = exchange.client.closed_by_client(), if cancel_on_disconnect => return Err(Fault::ClientGone.into()),
    };
    let _ = exchange.notes.upstream.set(sent_at.elapsed());
    result.map_err(|SendError { reason, unsent }| Unanswered {
        fault: match reason {
            _ if progress.is_some_and(|progress| progress.failed()) => Fault::BodyLost,
            SendFailure::Unreachable(unreachable) => Fault::Unreachable(unreachable),
            SendFailure::Unsent(error) => Fault::Unsent(error),
            SendFailure::Broken(error) => Fault::Broken(error),
            SendFailure::Unusable(problem) => Fault::Unusable(problem),
        },
        body: unsent.map(|request| request.into_body()),
    })
}

/// Completes when the head of the response is overdue: `limit` after the last piece of the request was sent.
async fn overdue(sent_at: Instant, limit: Duration, progress: Option<&Progress>) {
    loop {
        let last = progress.map_or(sent_at, |progress| progress.last().max(sent_at));
        if last.elapsed() >= limit {
            return;
        }
        tokio::time::sleep_until(last + limit).await;
    }
}
