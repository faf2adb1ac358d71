//! What can be wrong, as data: the steps of the guide, and the known errors of Entra and Business Central. Beside them,
//! bcproxy's own error codes, and its events.
//!
//! Error responses, the log, `bcproxy doctor`, `bcproxy setup` and the page `docs/errors.md` take their texts from
//! here.

mod business_central;
pub(crate) mod clicks;
mod entra;
mod event;
mod http_status;
mod known_error;
mod manual;
mod reference;
mod rejection_code;
mod step;

pub(crate) use business_central::{APPLICATION_REJECTED, MISSING_ROLE, business_central_error};
pub use entra::aadsts;
pub use event::{Event, Repeat, Severity};
pub(crate) use http_status::http_status;
pub use known_error::{KnownError, Retry};
pub(crate) use reference::{KnownCodes, known, reference};
pub use rejection_code::RejectionCode;
pub use step::Step;
