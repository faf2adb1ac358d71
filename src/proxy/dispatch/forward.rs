//! Forwarding: one attempt is sent to Business Central, and the head of its response comes back or the reason why there
//! is none.

use std::time::Duration;

use hyper::Response;
use tokio::time::Instant;

use super::fault::{Fault, Unanswered};
use crate::entra::Token;
use crate::proxy::body::request_body::{Progress, RequestBody};
use crate::proxy::request::draft::Draft;
use crate::proxy::upstream::{SendError, SendFailure, UpstreamBody};

/// The last step on the way to Business Central: one attempt, with this token and body.
pub async fn forward(draft: &Draft, token: &Token, body: RequestBody) -> Result<Response<UpstreamBody>, Unanswered> {
    let progress = body.progress();
    let (client, limit) = (&draft.exchange.client, draft.route().settings.timeouts.head);
    let sent_at = Instant::now();
    let result = tokio::select! {
        result = draft.connector().upstream.send(draft.with(token, body)) => result,
        () = overdue(sent_at, limit, progress.as_deref()) => return Err(Fault::TimedOut(limit).into()),
        () = client.closed_by_client(), if draft.cancel_on_disconnect() => return Err(Fault::ClientGone.into()),
    };
    let _ = draft.exchange.notes.upstream.set(sent_at.elapsed());
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
