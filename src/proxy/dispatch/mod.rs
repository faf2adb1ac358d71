//! Getting a request to Business Central: attempts, retries, limits, and the connections it is sent on.

mod acquire;
mod assess;
pub mod attempts;
pub mod fault;
pub mod forward;
