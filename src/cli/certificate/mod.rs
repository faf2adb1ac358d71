//! `bcproxy certificate`: creates a certificate for an HTTPS listener, signed by the user's own certificate authority.
//!
//! | file | job |
//! |---|---|
//! | `command` | the options, and the names the certificate is for |
//! | `issue` | a new certificate: first in memory, then in files |
//! | `authority` | loads or creates the authority |
//! | `files` | the four files, and how they are written |
//! | `report` | the output |

mod authority;
mod command;
mod files;
mod issue;
mod report;

pub use command::{Arguments, certificate};
pub use files::Files;
pub use issue::{Issued, Written, names_of_this_machine};
pub use report::{in_url, trust};
