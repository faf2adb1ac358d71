//! Admission: a small body is read into memory before the request waits for anything else.
//!
//! The client gets its `100 Continue` at once. A client that aborts its upload has sent nothing to Business Central. A
//! request whose
//! body is in memory can be retried with a new token.

use futures_util::future::Either;
use http_body::Body;

use crate::proxy::body::client_body::ClientBody;
use crate::proxy::body::error::BodyError;
use crate::proxy::body::memory_budget::MemoryBudget;
use crate::proxy::body::read_ahead::read_ahead;
use crate::proxy::body::request_body::RequestBody;
use crate::proxy::rejection::{Kind, Rejection};
use crate::proxy::request::inspect::step::inspect_head;
use crate::proxy::step::Routed;

/// The step that reads small bodies ahead.
pub fn admit(
    routed: Routed<ClientBody>,
    budget: &MemoryBudget,
) -> Either<Routed<RequestBody>, impl Future<Output = Result<Routed<RequestBody>, Rejection>> + Send + use<>> {
    let Routed { exchange, route, resource, dialect, head, body, deadline } = routed;
    if body.is_end_stream() {
        let body = RequestBody::default();
        return Either::Left(Routed { exchange, route, resource, dialect, head, body, deadline });
    }
    let budget = budget.clone();
    Either::Right(async move {
        if body.awaits_continue() {
            inspect_head(&route.settings, &resource, &head, &body)?;
        }
        let body = read_ahead(body, route.settings.timeouts.body_idle, &budget).await?;
        let deadline = route.connector.deadline();
        Ok(Routed { exchange, route, resource, dialect, head, body, deadline })
    })
}

impl From<BodyError> for Rejection {
    /// The rejection of a request whose body did not arrive.
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Idle(_) | BodyError::TooSlow => Self::new(
                Kind::RequestTimeout,
                format!("The request's body stopped arriving ({error}). Nothing was carried out."),
            ),
            BodyError::Undecodable => Self::new(
                Kind::BadRequest,
                "The body is marked as gzip, but it is truncated or broken. Nothing was carried out.",
            ),
            BodyError::Broken(_) => {
                Self::new(Kind::ClientGone, "The client aborted the request's body. Nothing was carried out.")
            }
        }
    }
}
