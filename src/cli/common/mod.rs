//! What several commands share.
//!
//! | file | job |
//! |---|---|
//! | `outcome` | the choice between text and JSON, and the reasons for a non-zero exit code |
//! | `private_file` | files that hold a secret |
//! | `startup` | the configuration and its connectors, the log, the async runtime and the signal handlers |

mod outcome;
pub(super) mod private_file;
mod startup;

pub(super) use outcome::{Failure, Output};
pub(super) use startup::{load, load_without_secrets, rendered, runtime, select_connectors, signals, start_log};
