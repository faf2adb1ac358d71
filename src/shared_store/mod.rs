//! The shared store: a Redis or Valkey server through which replicas share limits.
//!
//! | file | job |
//! |---|---|
//! | `store` | the store as the rest of bcproxy uses it: calls within a time limit |
//! | `heartbeat` | keeps the connection, and decides whether the store is up |
//! | `connection` | one connection: TCP or TLS, sign-in, and messages that wake limiters |
//! | `error` | why a call got no reply |
//! | `key` | keys: hashes, so that no names get there |
//! | `script` | the scripts that run in the store (`scripts/*.lua`), each in one step |
//! | `status` | what is known of the store |
//! | `wake_up` | what a message from another replica wakes |

mod connection;
mod error;
mod heartbeat;
mod key;
mod script;
mod status;
mod store;
#[cfg(test)]
pub mod test_server;
mod wake_up;

pub use connection::{ConnectError, connect};
pub use error::StoreError;
pub use key::{StoreKey, digest};
pub use script::{CHANGES, LIMITER, Script};
#[cfg(test)]
pub use script::{changes_at_given_time, limiter_at_given_time};
pub use status::StoreStatus;
pub use store::SharedStore;
pub use wake_up::WakeUp;
