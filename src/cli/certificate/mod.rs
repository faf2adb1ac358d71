//! `bcproxy certificate`: creates a certificate for an HTTPS listener, signed by the user's own certificate authority.
//!
//! | file | job |
//! |---|---|
//! | `command` | the options, the names the certificate is for, and the order of the work |
//! | `authority` | loads or creates the authority |
//! | `files` | the four files, and how they are written |
//! | `report` | the output |

mod authority;
mod command;
mod files;
mod report;

pub use command::{Arguments, certificate};
