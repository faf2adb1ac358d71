//! Writes in flight in an environment. A response is stored and reused only as long as nothing it shows has changed.
//!
//! | file | job |
//! |---|---|
//! | `extent` | whose data a request may change |
//! | `tally` | counts of writes, in this replica |
//! | `environment_changes` | the writes in one environment |
//! | `shared_changes` | the writes of all replicas, through the shared store |
//! | `journal` | what this replica tells the shared store, and when it must have |
//! | `message` | the calls of `changes.lua` and its replies |

mod environment_changes;
mod extent;
mod journal;
mod message;
#[cfg(test)]
mod model_tests;
mod shared_changes;
mod tally;

pub use environment_changes::Changes;
pub use extent::Extent;
pub use shared_changes::SharedChanges;
pub use tally::{ChangeState, Stage};
