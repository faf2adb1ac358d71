//! Admission: the whole body has arrived before the request waits for anything else.
//!
//! The client gets its `100 Continue` at once. A client that aborts its upload has sent nothing to Business Central. A
//! slow one keeps nobody waiting.

use http_body::Body;
use tokio::time::Instant;

use crate::business_central::{MAX_BODY_BYTES, MAX_SOAP_BODY_BYTES};
use crate::proxy::body::client_body::ClientBody;
use crate::proxy::body::error::BodyError;
use crate::proxy::body::receive::Receiver;
use crate::proxy::body::request_body::RequestBody;
use crate::proxy::budgets::fair_budget::{Exhausted, FairBudget};
use crate::proxy::observe::stages::Stage;
use crate::proxy::rejection::{Kind, Rejection};
use crate::proxy::request::inspect::step::inspect_head;
use crate::proxy::step::Routed;

/// The step that receives bodies. `disk`: the budget for those that wait on disk.
pub async fn admit(routed: Routed<ClientBody>, disk: &FairBudget) -> Result<Routed<RequestBody>, Rejection> {
    let Routed { exchange, route, known_as, resource, dialect, head, body, deadline } = routed;
    if body.is_end_stream() {
        let body = RequestBody::default();
        return Ok(Routed { exchange, route, known_as, resource, dialect, head, body, deadline });
    }
    if body.awaits_continue() {
        inspect_head(&route.settings, &resource, &head, &body)?;
    }
    let max_bytes = if resource.is_soap() { MAX_SOAP_BODY_BYTES } else { MAX_BODY_BYTES };
    let disk = disk.holder(exchange.ip);
    let receiver = Receiver { memory: &exchange.memory, disk, spool: &exchange.snapshot.spool, max_bytes };
    // Boxed because reads have no body: otherwise every request's future would be larger by it.
    let began = Instant::now();
    let received = Box::pin(receiver.receive(body, route.settings.timeouts.body_idle)).await;
    exchange.note_stage(Stage::Receive, began);
    let body = received?;
    let deadline = route.connector.deadline(Instant::now());
    Ok(Routed { exchange, route, known_as, resource, dialect, head, body, deadline })
}

impl From<BodyError> for Rejection {
    /// The rejection of a request whose body did not arrive.
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Idle(_) | BodyError::TooSlow => Self::new(
                Kind::RequestTimeout,
                format!("The request's body stopped arriving ({error}). Nothing was carried out."),
            ),
            BodyError::TooLarge(limit) => Self::new(
                Kind::TooLarge,
                format!(
                    "The body is larger than {} MiB, the limit of Business Central. Send it in parts.",
                    limit / (1 << 20)
                ),
            ),
            BodyError::NoMemory(_) | BodyError::NoDisk(_) => Self::overloaded(error),
            BodyError::Unreadable(_) => Self::new(Kind::Internal, format!("The body was lost: {error}.")),
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

impl From<Exhausted> for Rejection {
    /// The rejection of a request for which there is no memory.
    fn from(exhausted: Exhausted) -> Self {
        BodyError::NoMemory(exhausted).into()
    }
}
