//! What an NTLM handshake leaves on its connection.

use std::sync::{Arc, Mutex, PoisonError};

use crate::users::{Directory, User};

/// The handshake of a connection. A further HTTP proxy that shares connections between clients breaks it.
#[derive(Debug, Default)]
pub struct NtlmSession(Mutex<State>);

#[derive(Debug, Default)]
enum State {
    #[default]
    None,
    /// The nonce of the challenge that was sent.
    Challenged([u8; 8]),
    /// The user who proved to know the password. Later requests on the connection have no credentials.
    Proven(Arc<User>),
}

impl NtlmSession {
    /// A handshake begins with this nonce. It ends the session before.
    pub fn begin(&self, nonce: [u8; 8]) {
        self.set(State::Challenged(nonce));
    }

    /// The nonce of the challenge, once: a second proof for it is a replay.
    pub fn take_nonce(&self) -> Option<[u8; 8]> {
        match std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)) {
            State::Challenged(nonce) => Some(nonce),
            State::None | State::Proven(_) => None,
        }
    }

    /// The client has proven to be this user.
    pub fn prove(&self, user: Arc<User>) {
        self.set(State::Proven(user));
    }

    /// The user of this connection, if the users in service still have the same one.
    pub fn user(&self, users: &Directory) -> Option<Arc<User>> {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Proven(user) => users.same(user).cloned(),
            State::None | State::Challenged(_) => None,
        }
    }

    fn set(&self, state: State) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}
