//! `bcproxy health`, `bcproxy reload` and `bcproxy stop`: requests to the admin listener of a running bcproxy.
//!
//! | file | job |
//! |---|---|
//! | `commands` | what each command asks |
//! | `endpoint` | where the admin listener is, and how it is asked |

mod commands;
mod endpoint;

pub use commands::{health, reload, status_document, stop};
