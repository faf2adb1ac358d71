//! `bcproxy user`: the users that clients sign in as.
//!
//! | file | job |
//! |---|---|
//! | `command` | the options, and the order of the work |
//! | `input` | the password or API key of a user |
//! | `store` | finds, reads and replaces the file of users |

mod command;
mod input;
mod store;

pub use command::{Arguments, user};
