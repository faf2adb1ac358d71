//! The admin listener.

use super::{AllowFrom, HostName, Listener};
use crate::secret::SecretSource;

/// The admin listener: where it listens, and who may use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// Its addresses, in the order of the file. Never empty.
    pub listen: Vec<Listener>,
    /// Where the token is stored. Always set if an address serves HTTPS off loopback.
    pub token: Option<SecretSource>,
    /// The networks that may connect to addresses off loopback. Always set if there is such an address.
    pub allow_from: Option<AllowFrom>,
    /// The host names in `admin.hosts`, accepted in addition to bcproxy's own names.
    pub hosts: Vec<HostName>,
}

/// What the admin listener serves at one of its addresses, and to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminScope {
    /// Loopback: everything to programs of this machine; orders to those who have the token, if there is one.
    ThisMachine,
    /// HTTPS off loopback: everything to those who have the token.
    TokenHolders,
    /// Plain HTTP off loopback: metrics and health checks.
    Monitors,
}

impl AdminScope {
    /// What is served at an address.
    pub fn new(is_loopback: bool, has_tls: bool) -> Self {
        match (is_loopback, has_tls) {
            (true, _) => Self::ThisMachine,
            (false, true) => Self::TokenHolders,
            (false, false) => Self::Monitors,
        }
    }

    /// What is served by a listener.
    pub fn of(listener: &Listener) -> Self {
        Self::new(listener.is_on_loopback(), listener.tls.is_some())
    }
}

/// The length from which a token can't be guessed, if it is random.
pub const MIN_ADMIN_TOKEN_BYTES: usize = 16;
