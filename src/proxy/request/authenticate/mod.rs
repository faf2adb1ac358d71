//! Authentication: who the client is, where `client_auth` asks; and which of the known clients.
//!
//! A challenge is sent only where a scheme is asked for, and only behind route and allow-list. Elsewhere the rule is:
//! never challenge unasked, answer a type 1, drop everything else.

mod check;
pub mod credentials;
pub mod failures;
pub mod handshake;
pub mod identity;
pub mod step;
