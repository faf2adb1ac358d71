//! The NTLM handshake where nobody has to prove anything: a client that begins one gets its challenge here.
//!
//! Any response to any challenge is accepted, on any connection.

use hyper::header::HeaderValue;

use super::credentials::Credentials;
use crate::proxy::downstream::client::ClientConnection;
use crate::proxy::rejection::{Kind, Rejection};
use crate::users;

/// A response of our own in place of Business Central's.
#[derive(Debug)]
pub enum LocalResponse {
    /// The challenge of a handshake: a `WWW-Authenticate`.
    Challenge(HeaderValue),
    /// An error.
    Rejected(Rejection),
}

impl From<Rejection> for LocalResponse {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

/// Answers a handshake that begins.
pub fn handshake(credentials: Credentials, client: &ClientConnection) -> Result<(), LocalResponse> {
    check(credentials)?;
    if !credentials.begin_handshake() {
        client.handshake_over();
        return Ok(());
    }
    begin(client)?;
    match credentials.challenge(nonce()?) {
        Some(challenge) => Err(LocalResponse::Challenge(challenge)),
        None => Ok(()),
    }
}

/// Counts a handshake that begins. Rejects a client that only ever begins one.
pub fn begin(client: &ClientConnection) -> Result<(), Rejection> {
    match client.handshake_begins() {
        ..=MAX_HANDSHAKES => Ok(()),
        _ => Err(Rejection::new(Kind::BrokenHandshake, ENDLESS)),
    }
}

/// The nonce of a challenge.
pub fn nonce() -> Result<[u8; 8], Rejection> {
    users::random().map_err(|_| Rejection::new(Kind::Internal, "The system has no random numbers."))
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
