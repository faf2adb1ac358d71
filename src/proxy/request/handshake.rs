//! The NTLM handshake: a client that begins one gets its challenge here, behind route and allow-list; nothing of it is
//! forwarded.
//!
//! The rule that lets all kinds of old clients in: never challenge unasked, answer a type 1, drop everything else.
//! Until passwords are verified, any response to any challenge is accepted, on any connection.

use super::credentials::Credentials;
use crate::proxy::body::client_body::ClientBody;
use crate::proxy::rejection::{Kind, Rejection};
use crate::proxy::step::Routed;

/// A response of our own in place of Business Central's.
#[derive(Debug)]
pub enum LocalResponse {
    /// The challenge of a handshake.
    Challenge,
    /// An error.
    Rejected(Rejection),
}

impl From<Rejection> for LocalResponse {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

/// The step that answers handshakes.
pub fn handshake(routed: Routed<ClientBody>) -> Result<Routed<ClientBody>, LocalResponse> {
    let (credentials, client) = (routed.exchange.credentials, &routed.exchange.client);
    check(credentials)?;
    if !credentials.begin_handshake() {
        client.handshake_over();
        return Ok(routed);
    }
    if client.handshake_begins() > MAX_HANDSHAKES {
        return Err(Rejection::new(Kind::BrokenHandshake, ENDLESS).into());
    }
    Err(LocalResponse::Challenge)
}

/// Rejects a handshake that no honest client holds, lest it pass as a request without credentials.
pub fn check(credentials: Credentials) -> Result<(), Rejection> {
    match credentials {
        Credentials::Broken(error) => {
            let message = format!("The Authorization header contains no valid NTLM message: {error}.");
            Err(Rejection::new(Kind::BrokenHandshake, message))
        }
        _ => Ok(()),
    }
}

/// A client that begins more handshakes than this in a row on a connection, and never ends one, is in a loop.
const MAX_HANDSHAKES: u32 = 16;

const ENDLESS: &str = "The client begins one handshake after another on this connection and never completes one. Restart it. If that does not help, \
     configure it for anonymous or Basic authentication.";
