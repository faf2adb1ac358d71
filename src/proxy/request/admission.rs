//! Admission: a small body is taken in before the request waits for anything else.
//!
//! The client gets its `100 Continue` at once, a client that breaks off half-way has sent nothing to Business Central, and a request whose
//! body is at hand can be sent again with a new token.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::Either;
use http_body::Body;
use tower::Service;

use crate::proxy::body::idle_timeout::BodyError;
use crate::proxy::body::request_body::{ClientBody, ReadAheadRoom, RequestBody};
use crate::proxy::rejection::{Kind, Refusal};
use crate::proxy::step::Routed;

/// The step that takes in bodies.
#[derive(Debug, Clone)]
pub struct Admission<S> {
    room: ReadAheadRoom,
    inner: S,
}

impl<S> Admission<S> {
    pub fn new(room: ReadAheadRoom, inner: S) -> Self {
        Self { room, inner }
    }
}

impl<S> Service<Routed<ClientBody>> for Admission<S>
where
    S: Service<Routed<RequestBody>, Error = Refusal, Future: Send> + Clone + Send + 'static,
{
    type Response = S::Response;
    type Error = Refusal;
    type Future = Either<S::Future, Pin<Box<dyn Future<Output = Result<S::Response, Refusal>> + Send>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, routed: Routed<ClientBody>) -> Self::Future {
        let Routed { exchange, route, resource, head, body } = routed;
        if body.is_end_stream() {
            return Either::Left(self.inner.call(Routed {
                exchange,
                route,
                resource,
                head,
                body: RequestBody::default(),
            }));
        }
        let (room, mut inner) = (self.room.clone(), self.inner.clone());
        Either::Right(Box::pin(async move {
            let body = RequestBody::take_in(body, route.settings.timeouts.body_idle, &room).await?;
            inner.call(Routed { exchange, route, resource, head, body }).await
        }))
    }
}

impl From<BodyError> for Refusal {
    /// A request's body that did not arrive.
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Idle(_) | BodyError::TooSlow => Self::new(
                Kind::RequestTimeout,
                format!("The request's body did not go on ({error}); nothing of it was carried out."),
            ),
            BodyError::Undecodable => Self::new(
                Kind::BadRequest,
                "The body says that it is compressed with gzip, but it is cut or broken; nothing of it was carried out.",
            ),
            BodyError::Broken(_) => {
                Self::new(Kind::ClientGone, "The request's body broke off; nothing of it was carried out.")
            }
        }
    }
}
