//! `bcproxy service`: bcproxy as a service of Windows.
//!
//! | file | job |
//! |---|---|
//! | `command` | the options, and the call of the command they name |
//! | `secret` | secrets encrypted for this machine |

mod command;
mod secret;

pub use command::{Arguments, service};
