//! Who may use the admin listener, and for what.
//!
//! | file | job |
//! |---|---|
//! | `policy` | what a request needs: a network, a host name, the token |
//! | `rejection` | why a request is rejected |
//! | `token_auth` | the token in service, and the sessions that began with it |
//! | `sessions` | who has signed in |
//! | `presented` | what a request presents: a token, the cookie of a session |

mod policy;
mod presented;
mod rejection;
mod sessions;
mod token_auth;

pub use policy::{Access, Caller, Peer, Rules, cookie_name};
pub use rejection::Rejection;
pub use sessions::{MAX_SESSION_AGE, SessionId};
pub use token_auth::{AdminTokenError, CurrentToken};
