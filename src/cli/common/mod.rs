//! What several commands share.
//!
//! | file | job |
//! |---|---|
//! | `admin_client` | requests to the admin listener of a running bcproxy |
//! | `configuration` | loads `proxy.yaml` and selects connectors |
//! | `failure` | the reasons a command ends with a non-zero exit code |
//! | `output` | the choice between text and JSON |
//! | `private_file` | files that hold a secret |
//! | `startup` | the async runtime, the log and the signal handlers |

pub(super) mod admin_client;
mod configuration;
mod failure;
mod output;
pub(super) mod private_file;
mod startup;

pub(super) use configuration::{load, load_without_secrets, rendered, select_connectors};
pub(super) use failure::Failure;
pub(super) use output::Output;
pub(super) use startup::{runtime, signals, start_log};
