//! What several commands share.
//!
//! | file | job |
//! |---|---|
//! | `access` | access to files and folders on Windows |
//! | `outcome` | the choice between text and JSON, text for a terminal, the reasons for a non-zero exit code |
//! | `paste_mistake` | the usual mistakes of pasting a client secret |
//! | `private_file` | files that hold a secret, and folders of them |
//! | `progress` | what a command is waiting for, on a terminal |
//! | `secret_prompt` | asks for a secret, or reads it from standard input |
//! | `startup` | the configuration and its connectors, the log, the async runtime and the signal handlers |

pub(super) mod access;
mod outcome;
pub(super) mod paste_mistake;
pub(super) mod private_file;
mod progress;
mod secret_prompt;
mod startup;

pub(super) use outcome::{Failure, Output, printable};
pub(super) use progress::Progress;
pub(super) use secret_prompt::{Purpose, read as read_secret};
pub(super) use startup::{load, load_without_secrets, rendered, runtime, select_connectors, signals, start_log};
