//! `bcproxy service`: bcproxy as a service of Windows.
//!
//! | file | job |
//! |---|---|
//! | `account` | the account of the service, and its SID |
//! | `command` | the options, and the call of the command they name |
//! | `secret` | secrets encrypted for this machine |

mod account;
mod command;
mod secret;

pub use command::{Arguments, service};
