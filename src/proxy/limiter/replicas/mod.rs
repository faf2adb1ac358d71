//! A limiter that replicas share: permits come from the shared store, or from this replica's share of the limits while
//! the store is away.
//!
//! | file | job |
//! |---|---|
//! | `call` | what the store is told and replies: the shapes of `limiter.lua` |
//! | `instance` | which data in the store belong to the limiter |
//! | `ledger` | what the store knows of this replica, and what it has yet to be told |
//! | `sharing` | whether permits come from the store or from the share |
//! | `steps` | what is done next, and what follows from a reply |
//! | `coordinator` | the task that talks to the store |

mod call;
mod coordinator;
mod instance;
mod ledger;
#[cfg(test)]
mod model_tests;
mod sharing;
mod steps;
#[cfg(test)]
mod tests;

pub use coordinator::coordinate;
pub use sharing::{SharedUse, Sharing};
