//! `bcproxy service`: bcproxy as a service of Windows.
//!
//! | file | job |
//! |---|---|
//! | `account` | the account of the service, and its SID |
//! | `command` | the options, and the call of the command they name |
//! | `secret` | the commands for secrets encrypted for this machine |
//! | `secret_store` | stores a secret for the service and administrators alone |

mod account;
mod command;
mod secret;
mod secret_store;

pub use account::ServiceAccount;
pub use command::{Arguments, service};
pub use secret_store::{readers, store_secret};
