//! What would become of a request: the data path's own steps decide, one after the other, and nothing is sent.

mod assumptions;
mod client;
mod offline;
mod report;
mod sent;
mod walk;

pub use offline::Question;
pub use report::{Case, Explanation, Header, HeaderChanges, Outcome, Rejected, SentRequest};
pub use walk::explain;
