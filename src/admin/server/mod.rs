//! The listener of the admin room: from an accepted connection to a response.
//!
//! | file | job |
//! |---|---|
//! | `listener` | the addresses: opens, changes and closes them, and accepts connections |
//! | `connections` | the limits on open connections |
//! | `connection` | a connection: its TLS handshake, and hyper, which parses its requests |
//! | `respond` | what each request passes: the rules of `access`, then the router |
//! | `sign_in` | the sign-in page, and the end of a session |
//! | `router` | which path leads where |
//! | `form` | the body of a form, up to a limit |
//! | `text_response` | a response made of text |

mod connection;
mod connections;
mod form;
mod listener;
mod respond;
mod router;
mod sign_in;
mod text_response;

pub use listener::{Admin, AdminError, PreparedAdmin};
