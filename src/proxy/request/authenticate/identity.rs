//! Who a client is.

use std::net::IpAddr;
use std::sync::Arc;

use hyper::header::HeaderValue;

use crate::config::{Client, ClientMark};
use crate::proxy::exchange::Exchange;
use crate::users::User;

/// Who a client has proven to be.
#[derive(Debug, Clone)]
pub enum Identity {
    /// A user, or the holder of an API key.
    User(Arc<User>),
    /// The names in its certificate, first the one that was accepted.
    Certificate(Arc<[String]>),
}

/// What is known of a client once it is authenticated: at least one of the two.
#[derive(Debug)]
pub struct KnownAs {
    /// Who it has proven to be; `None` where nobody asked.
    pub identity: Option<Identity>,
    /// The entry of `clients` that fits it.
    pub client: Option<Arc<Client>>,
}

impl Identity {
    /// The name in the log.
    pub fn name(&self) -> &str {
        match self {
            Self::User(user) => &user.name,
            Self::Certificate(names) => names.first().map_or("", String::as_str),
        }
    }

    fn has(&self, mark: &ClientMark) -> bool {
        match (self, mark) {
            (Self::User(user), ClientMark::User(name)) => user.name.to_lowercase() == *name,
            (Self::Certificate(names), ClientMark::Certificate(name)) => {
                names.iter().any(|own| own.to_lowercase() == *name)
            }
            _ => false,
        }
    }
}

impl KnownAs {
    /// What is known of a request's client; `None` if nobody asked and no entry of `clients` fits.
    pub fn of(exchange: &Exchange, identity: Option<Identity>) -> Option<Self> {
        let clients = &exchange.snapshot.clients;
        if clients.is_empty() {
            return Some(Self { identity: Some(identity?), client: None });
        }
        let user_agent = exchange.user_agent.as_ref().map_or(&[][..], HeaderValue::as_bytes);
        let has = |mark: &ClientMark| identity.as_ref().is_some_and(|identity| identity.has(mark));
        let client = entry_of(clients, exchange.ip, user_agent, has);
        (identity.is_some() || client.is_some()).then_some(Self { identity, client })
    }
}

/// The first entry of `clients` that fits a client. `has`: whether it has proven to have a mark.
pub fn entry_of(
    clients: &[Arc<Client>],
    address: IpAddr,
    user_agent: &[u8],
    has: impl Fn(&ClientMark) -> bool,
) -> Option<Arc<Client>> {
    clients.iter().find(|client| has(&client.mark) || client.mark.is_at(address, user_agent)).cloned()
}
