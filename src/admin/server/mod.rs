//! The listener of the admin room: from an accepted connection to a response.
//!
//! | file | job |
//! |---|---|
//! | `listener` | accepts connections and lets hyper parse their requests |
//! | `connections` | the limit on open connections |
//! | `respond` | what each request passes: the guard, the router, the headers of every response |
//! | `router` | which path leads where |
//! | `form` | the body of a form, up to a limit |
//! | `text_response` | a response made of text |

mod connections;
#[allow(dead_code, reason = "the first forms come with the sign-in and with POST /doctor")]
mod form;
mod listener;
mod respond;
mod router;
mod text_response;

pub use listener::Admin;
