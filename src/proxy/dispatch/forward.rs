//! Forwarding: one attempt is sent to Business Central, and the head of its response comes back or the reason why there
//! is none.

use std::time::Duration;

use hyper::Response;
use tokio::time::Instant;

use super::fault::{Fault, Unanswered};
use crate::entra::Token;
use crate::proxy::body::request_body::{Progress, RequestBody};
use crate::proxy::observe::stages::{AttemptEnd, Stage};
use crate::proxy::request::draft::Draft;
use crate::proxy::upstream::{SendError, SendFailure, UpstreamBody};

/// The last step on the way to Business Central: one attempt, with this token and body.
pub async fn forward(draft: &Draft, token: &Token, body: RequestBody) -> Result<Response<UpstreamBody>, Unanswered> {
    let progress = body.progress();
    let (client, limit) = (&draft.exchange.client, draft.route().settings.timeouts.head);
    let sent_at = Instant::now();
    let result = tokio::select! {
        result = draft.connector().upstream.send(draft.with(token, body)) => Ok(result),
        () = overdue(sent_at, limit, progress.as_deref()) => Err(Fault::TimedOut(limit)),
        () = client.closed_by_client(), if draft.cancel_on_disconnect() => Err(Fault::ClientGone),
    };
    draft.exchange.note_stage(Stage::Attempt(end_of(&result)), sent_at);
    result?.map_err(|SendError { reason, unsent }| Unanswered {
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

/// How an attempt ended. `Err`: it was given up.
fn end_of(result: &Result<Result<Response<UpstreamBody>, SendError>, Fault>) -> AttemptEnd {
    match result {
        Ok(Ok(response)) => AttemptEnd::Answered(response.status()),
        Ok(Err(SendError { reason: SendFailure::Unreachable(_), .. })) => AttemptEnd::Unreachable,
        Ok(Err(_)) => AttemptEnd::Broken,
        Err(Fault::TimedOut(_)) => AttemptEnd::TimedOut,
        Err(_) => AttemptEnd::ClientLeft,
    }
}

/// Completes when the head of the response is overdue: `limit` after the last piece of the request was sent.
async fn overdue(sent_at: Instant, limit: Duration, progress: Option<&Progress>) {
    let mut last = sent_at;
    loop {
        tokio::time::sleep_until(last + limit).await;
        let latest = progress.map_or(sent_at, |progress| progress.last().max(sent_at));
        if latest == last {
            return;
        }
        last = latest;
    }
}
