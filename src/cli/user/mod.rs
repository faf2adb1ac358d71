//! `bcproxy user`: the users that clients sign in as.
//!
//! | file | job |
//! |---|---|
//! | `command` | the options, and the order of the work |
//! | `input` | asks for a password or API key, or reads it |
//! | `store` | finds, reads and replaces the file of users |

mod command;
mod input;
mod store;

pub use command::{Arguments, user};
