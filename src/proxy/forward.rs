//! Forwarding: the request goes to Business Central, and the answer's head comes back or a reason why not.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Response;
use hyper::body::Incoming;
use hyper_util::client::legacy;
use tokio::time::Instant;
use tower::Service;

use super::exchange::Exchange;
use super::refusal::{Kind, Refusal};
use super::request_body::Progress;
use super::step::Outbound;
use crate::error_chain::root_cause;
use crate::unreachable::Unreachable;

/// The last step on the way out.
#[derive(Debug, Clone)]
pub struct Forward;

impl Service<Outbound> for Forward {
    type Response = Response<Incoming>;
    type Error = Refusal;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Incoming>, Refusal>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, outbound: Outbound) -> Self::Future {
        Box::pin(forward(outbound))
    }
}

async fn forward(outbound: Outbound) -> Result<Response<Incoming>, Refusal> {
    let Outbound { exchange, route, request } = outbound;
    let progress = request.body().progress();
    let limit = route.settings.timeouts.head;
    let sent_at = Instant::now();
    let result = tokio::select! {
        result = route.destination.client.request(request) => result,
        () = too_late(sent_at, limit, progress.as_deref()) => return Err(timed_out(limit)),
        () = given_up(&exchange) => {
            return Err(Refusal::new(Kind::ClientGone, "The client closed the connection before it was answered."));
        }
    };
    exchange.answered_upstream(sent_at.elapsed());
    result.map_err(|error| {
        if progress.is_some_and(|progress| progress.failed()) {
            let message = "The request's body broke off while it was being forwarded; Business Central got only a part and discards it.";
            return Refusal::new(Kind::ClientGone, message);
        }
        failed(&error, route.destination.connector.base_url.authority())
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

/// Ends when the client went away from a request nobody needs answered. A write goes on: its outcome must be known.
async fn given_up(exchange: &Arc<Exchange>) {
    if exchange.ends_with_its_client() {
        exchange.client.closed_by_client().await;
    } else {
        std::future::pending().await
    }
}

fn timed_out(limit: Duration) -> Refusal {
    let message = format!(
        "Business Central did not answer within {} s. Whether it carried the request out is not known: look before you repeat it.",
        limit.as_secs_f32()
    );
    Refusal::new(Kind::AnswerTimeout, message)
}

fn failed(error: &legacy::Error, host: &str) -> Refusal {
    if !error.is_connect() {
        let cause = root_cause(error);
        let message = format!(
            "The connection to Business Central broke before it answered ({cause}). Whether it carried the request out is not known: look \
             before you repeat it."
        );
        return Refusal::new(Kind::AnswerBroken, message);
    }
    let unreachable = Unreachable::business_central(host, error);
    Refusal::new(Kind::Unreachable(unreachable.step), format!("{unreachable}. Nothing was carried out."))
}
