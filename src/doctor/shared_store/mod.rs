//! The checks of the shared store, by which replicas share limits.
//!
//! | file | job |
//! |---|---|
//! | `finding` | what a check finds, and its text |
//! | `examine` | all checks, in order |
//! | `sign_in` | why there is no connection, or no sign-in |
//! | `server` | version, kind and memory policy of the server |
//! | `permissions` | whether scripts may do what they do (`permissions.lua`) |

mod examine;
mod finding;
mod permissions;
mod server;
mod sign_in;
#[cfg(test)]
mod tests;

pub use examine::examine_store;
pub use finding::{StoreFinding, StoreProblem, store_is_fine, store_line, unchecked_store_line};
