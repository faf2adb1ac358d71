//! The outermost step: every request leaves it with a response.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::Response;
use tower::Service;

use super::body::ResponseBody;
use super::local::{challenge, reject, rejected};
use super::relay::relay;
use crate::proxy::body::client_body::ClientBody;
use crate::proxy::exchange::Exchange;
use crate::proxy::rejection::{Kind, Rejection};
use crate::proxy::request::authenticate::handshake::LocalResponse;
use crate::proxy::snapshot::Current;
use crate::proxy::step::{Arrived, Inbound, Received};

/// The outermost step.
#[derive(Debug, Clone)]
pub struct Respond<S> {
    /// The configuration that new requests are served by.
    pub current: Current,
    pub inner: S,
}

impl<S> Service<Arrived> for Respond<S>
where
    S: Service<Inbound, Response = Received, Error = LocalResponse, Future: Send> + Clone + Send + 'static,
{
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<ResponseBody>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Every step accepts all requests at any time; what has to wait, waits in its future.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, Arrived { client, number, request }: Arrived) -> Self::Future {
        let (mut inner, snapshot) = (self.inner.clone(), self.current.snapshot());
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let exchange = Arc::new(Exchange::new(client, &head, snapshot));
            let (body, unread) = ClientBody::new(body, &head, number, exchange.client.clone());
            let received = inner.call(Inbound { exchange: exchange.clone(), head, body });
            let responding = {
                let exchange = exchange.clone();
                async move {
                    let relayed = async { Ok(relay(&exchange, received.await?).await?) }.await;
                    match relayed {
                        Ok(response) => response,
                        Err(LocalResponse::Challenge(value)) => challenge(exchange, value, &unread).await,
                        Err(LocalResponse::Rejected(rejection)) => reject(exchange, rejection, &unread).await,
                    }
                }
            };
            if exchange.only_reads() {
                return Ok(responding.await);
            }
            // A task of its own: a write in flight must not end because its client's connection did.
            Ok(tokio::spawn(responding)
                .await
                .unwrap_or_else(|_| rejected(exchange, Rejection::new(Kind::Internal, FAILED))))
        })
    }
}

const FAILED: &str = "bcproxy failed on this request. Its log has the reason.";
