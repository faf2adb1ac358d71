//! What can be wrong with a set-up, as data: the steps of the guide, and the known errors of Entra and Business
//! Central.
//!
//! Error responses, the log, `bcproxy doctor`, `bcproxy setup` and the page `docs/errors.md` take their texts from
//! here.

mod business_central;
mod entra;
mod known_error;
mod reference;
mod step;

pub(crate) use business_central::{APPLICATION_REJECTED, MISSING_ROLE, business_central_error};
pub use entra::aadsts;
pub use known_error::{KnownError, Retry};
pub(crate) use reference::{known, reference};
pub use step::Step;
