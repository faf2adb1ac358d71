//! Why an attempt has no response.

use std::time::Duration;

use crate::business_central::ResponseIds;
use crate::error_chain::root_cause;
use crate::outbound::Unreachable;
use crate::proxy::body::request_body::RequestBody;
use crate::proxy::rejection::{Kind, Rejection};

/// Why an attempt has no response.
#[derive(Debug)]
pub enum Fault {
    /// No connection could be made.
    Unreachable(Unreachable),
    /// The connection broke before a byte of the request was written.
    Unsent(hyper::Error),
    /// The connection broke later.
    Broken(hyper::Error),
    /// The connection broke in the middle of the response, of which nothing was forwarded. It had these identifiers.
    CutShort(hyper::Error, Option<Box<ResponseIds>>),
    /// There was a response, but none for a client; a phrase says what it does instead.
    Unusable(&'static str),
    /// The response did not come within this time.
    TimedOut(Duration),
    /// The client left.
    ClientGone,
    /// The body could not be read back from its file.
    BodyLost,
}

impl Fault {
    /// Whether another attempt can't carry the request out twice.
    pub fn allows_retry(&self, only_reads: impl FnOnce() -> bool) -> bool {
        match self {
            Self::Unreachable(_) | Self::Unsent(_) => true,
            Self::Broken(_) | Self::CutShort(..) => only_reads(),
            Self::Unusable(_) | Self::TimedOut(_) | Self::ClientGone | Self::BodyLost => false,
        }
    }
}

/// An attempt without a response.
#[derive(Debug)]
pub struct Unanswered {
    /// Why.
    pub fault: Fault,
    /// The body, if nothing of it was sent.
    pub body: Option<RequestBody>,
}

impl From<Fault> for Unanswered {
    fn from(fault: Fault) -> Self {
        Self { fault, body: None }
    }
}

impl From<Fault> for Rejection {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Unreachable(unreachable) => {
                Self::new(Kind::Unreachable(unreachable.failure), format!("{unreachable}. Nothing was carried out."))
            }
            Fault::Unsent(error) => {
                let cause = root_cause(&error);
                let message = format!(
                    "The connection to Business Central broke before the request was sent ({cause}). Nothing was carried out."
                );
                Self::new(Kind::ResponseBroken, message)
            }
            Fault::Broken(error) => {
                let cause = root_cause(&error);
                let message = format!(
                    "The connection to Business Central broke before the response ({cause}). The request may have been carried out: \
                     check before repeating it."
                );
                Self::new(Kind::ResponseBroken, message)
            }
            Fault::CutShort(error, ids) => Self::broken_response(root_cause(&error)).caused_by(ids),
            Fault::Unusable(problem) => {
                let message = format!(
                    "Business Central's response {problem}. The request may have been carried out: check before repeating it."
                );
                Self::new(Kind::ResponseBroken, message)
            }
            Fault::TimedOut(limit) => {
                let message = format!(
                    "Business Central did not answer within {} s. The request may have been carried out: check before repeating it.",
                    limit.as_secs_f32()
                );
                Self::new(Kind::ResponseTimeout, message)
            }
            Fault::ClientGone => Self::client_left(),
            Fault::BodyLost => Self::new(Kind::Internal, BODY_LOST),
        }
    }
}

const BODY_LOST: &str = "The request's body could not be read back from its temporary file (`spool` in proxy.yaml). \
     Business Central got only a part and discards it. Check the disk.";
