//! `bcproxy guide`: prints the set-up guide, one step at a time.
//!
//! | file | job |
//! |---|---|
//! | `command` | finds the step that is wanted, and prints it or the list of all steps |
//! | `plain_text` | Markdown as plain text for a terminal |

mod command;
mod plain_text;

pub use command::guide;
