//! Who may come in beyond addresses, and which clients are known by name.

use std::net::IpAddr;

use hyper::header::HeaderName;

use super::AllowFrom;
use crate::entra::ClientId;

/// How clients prove who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientAuth {
    /// Not at all: whatever credentials a client sends are accepted and dropped.
    None,
    /// By one of these schemes.
    Required(AuthRules),
}

/// The schemes by which a client may prove who it is. At least one is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthRules {
    /// User name and password on every request (RFC 7617).
    pub basic: bool,
    /// The NTLM handshake, with NTLMv2.
    pub ntlm: bool,
    /// A certificate that the listener has verified.
    pub mtls: bool,
    /// A key in this header.
    pub api_key: Option<HeaderName>,
    /// The names of users, holders of keys and certificates that may come in, in lower case. `None`: all.
    pub names: Option<Vec<String>>,
}

/// A word in `client_auth`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthScheme {
    /// No authentication.
    None,
    /// User name and password.
    Basic,
    /// A key in a header.
    ApiKey,
    /// A certificate.
    Mtls,
    /// The NTLM handshake.
    Ntlm,
}

/// A client that is known by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The name of the entry in `clients`.
    pub name: String,
    /// How it is recognized.
    pub mark: ClientMark,
    /// The application that sends its requests. `None`: any that is not another client's.
    pub application: Option<ClientId>,
    /// Whether it may only read.
    pub read_only: bool,
}

/// How a client is recognized. Names are in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientMark {
    /// By the user it signed in as, or whose API key it sent.
    User(String),
    /// By a name in its certificate.
    Certificate(String),
    /// By where it connects from.
    Address {
        /// Its networks.
        networks: AllowFrom,
        /// What its `User-Agent` begins with.
        user_agent: Option<String>,
    },
}

impl AuthRules {
    /// Whether this name may come in.
    pub fn allows(&self, name: &str) -> bool {
        self.names.as_ref().is_none_or(|names| names.contains(&name.to_lowercase()))
    }

    /// Whether any scheme needs the file of users.
    pub fn needs_users(&self) -> bool {
        self.basic || self.ntlm || self.api_key.is_some()
    }
}

impl ClientMark {
    /// Whether a client at this address with this `User-Agent` has this mark.
    pub fn is_at(&self, client: IpAddr, user_agent: &[u8]) -> bool {
        match self {
            Self::Address { networks, user_agent: begin } => {
                networks.contains(client) && begin.as_ref().is_none_or(|begin| user_agent.starts_with(begin.as_bytes()))
            }
            Self::User(_) | Self::Certificate(_) => false,
        }
    }
}

impl std::fmt::Display for AuthRules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words =
            [(self.basic, "basic"), (self.ntlm, "ntlm"), (self.api_key.is_some(), "api_key"), (self.mtls, "mtls")];
        let words: Vec<&str> = words.into_iter().filter(|(is_on, _)| *is_on).map(|(_, word)| word).collect();
        f.write_str(&words.join(", "))
    }
}
