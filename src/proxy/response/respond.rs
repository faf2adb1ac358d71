//! The outermost step: every request leaves it with a response.

use std::convert::Infallible;
use std::sync::Arc;

use hyper::Response;

use super::body::ResponseBody;
use super::local::{challenge, reject, rejected};
use super::relay::relay;
use crate::proxy::body::client_body::{ClientBody, Unread};
use crate::proxy::exchange::Exchange;
use crate::proxy::rejection::{Kind, Rejection};
use crate::proxy::request::authenticate::handshake::LocalResponse;
use crate::proxy::snapshot::Snapshot;
use crate::proxy::step::{Arrived, Inbound, Received};

/// Responds to a request. `steps` are the other steps; the snapshot is the configuration that the request is served by.
///
/// Not an `async fn`, which would hold the request longer than needed.
pub fn respond<F>(
    Arrived { client, number, request }: Arrived,
    snapshot: Arc<Snapshot>,
    steps: impl FnOnce(Inbound) -> F + Send + 'static,
) -> impl Future<Output = Result<Response<ResponseBody>, Infallible>> + Send
where
    F: Future<Output = Result<Received, LocalResponse>> + Send + 'static,
{
    let (head, body) = request.into_parts();
    let exchange = Arc::new(Exchange::new(client, &head, snapshot));
    let (body, unread) = ClientBody::new(body, &head, number, exchange.client.clone());
    let inbound = Inbound { exchange: exchange.clone(), head: Box::new(head), body };
    async move {
        if exchange.only_reads() {
            return Ok(relayed(exchange, steps, inbound, unread).await);
        }
        // A task of its own: a write in flight must not end because its client's connection did. Boxed, because a task
        // is moved several times before it begins.
        let relayed = tokio::spawn(Box::pin(relayed(exchange.clone(), steps, inbound, unread)));
        Ok(relayed.await.unwrap_or_else(|_| rejected(exchange, Rejection::new(Kind::Internal, FAILED))))
    }
}

/// The response to the client, whatever it is made from. `unread` receives what no step read of the request's body.
async fn relayed<F: Future<Output = Result<Received, LocalResponse>>>(
    exchange: Arc<Exchange>,
    steps: impl FnOnce(Inbound) -> F,
    inbound: Inbound,
    unread: Arc<Unread>,
) -> Response<ResponseBody> {
    let relayed = match steps(inbound).await {
        Ok(received) => relay(&exchange, received).await.map_err(LocalResponse::from),
        Err(local) => Err(local),
    };
    match relayed {
        Ok(response) => response,
        Err(LocalResponse::Challenge(value)) => Box::pin(challenge(exchange, value, &unread)).await,
        Err(LocalResponse::Rejected(rejection)) => Box::pin(reject(exchange, rejection, &unread)).await,
    }
}

const FAILED: &str = "bcproxy failed on this request. Its log has the reason.";
