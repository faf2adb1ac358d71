//! The shared store: where replicas keep what they share.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::HostName;
use crate::secret::SecretSource;

/// The shared store, and how a replica signs in to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedLimits {
    /// Where it is.
    pub url: StoreUrl,
    /// The user of its access control list. `None`: its default user.
    pub user: Option<String>,
    /// Where the password is stored. `None`: it needs none.
    pub password: Option<SecretSource>,
    /// Certificates to trust in addition to those of this machine.
    pub ca_file: Option<PathBuf>,
    /// The beginning of all keys and channels.
    pub prefix: String,
    /// How long the shared store may take to respond before local shares apply. At most 2 s.
    pub timeout: Duration,
}

/// The longest `timeout` of the shared store: requests wait for it.
pub const MAX_STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// The address of the shared store: `redis://host:port/database`, or `rediss` for TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreUrl {
    is_tls: bool,
    /// Without the brackets of an IPv6 address, in lower case.
    host: String,
    port: u16,
    database: u16,
}

/// Why text is not a [`StoreUrl`]. The message says how to write one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoreUrlError {
    #[error("write the address of Redis or Valkey, such as rediss://redis.example:6379")]
    Malformed,
    #[error(
        "remove the user name and password, and set the keys beside it instead: \
         shared_limits: {{ url: rediss://redis.example:6379, user: bcproxy, password: {{ env: REDIS_PASSWORD }} }}"
    )]
    UserInfo,
    #[error("the port must be a number from 1 to 65535")]
    Port,
    #[error("write the number of a database after the port, such as rediss://redis.example:6379/0, or nothing")]
    Database,
}

impl StoreUrl {
    /// Whether connections to it are encrypted.
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// The host, without the brackets of an IPv6 address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port. 6379 if the address names none.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The number of the database. 0 if the address names none.
    pub fn database(&self) -> u16 {
        self.database
    }

    /// Whether it is on this machine.
    pub fn is_local(&self) -> bool {
        let is_loopback = |address: IpAddr| address.to_canonical().is_loopback();
        self.host == "localhost" || self.host.parse().is_ok_and(is_loopback)
    }
}

impl FromStr for StoreUrl {
    type Err = StoreUrlError;

    fn from_str(text: &str) -> Result<Self, StoreUrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(StoreUrlError::Malformed)?;
        let is_tls = match scheme.to_ascii_lowercase().as_str() {
            "redis" => false,
            "rediss" => true,
            _ => return Err(StoreUrlError::Malformed),
        };
        if rest.contains('@') {
            return Err(StoreUrlError::UserInfo);
        }
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = match authority.strip_prefix('[') {
            Some(bracketed) => bracketed.split_once(']').ok_or(StoreUrlError::Malformed)?,
            None => authority.split_at_checked(authority.find(':').unwrap_or(authority.len())).unwrap_or_default(),
        };
        let is_host = match authority.starts_with('[') {
            true => host.parse::<Ipv6Addr>().is_ok(),
            false => host.parse::<IpAddr>().is_ok() || host.parse::<HostName>().is_ok(),
        };
        if !is_host {
            return Err(StoreUrlError::Malformed);
        }
        let port = match port.strip_prefix(':') {
            Some(port) => number(port).filter(|port| *port > 0).ok_or(StoreUrlError::Port)?,
            None if port.is_empty() => DEFAULT_PORT,
            None => return Err(StoreUrlError::Port),
        };
        let database = if database.is_empty() { 0 } else { number(database).ok_or(StoreUrlError::Database)? };
        Ok(Self { is_tls, host: host.to_ascii_lowercase(), port, database })
    }
}

/// A number of digits only: `parse` also accepts `+1`.
fn number(text: &str) -> Option<u16> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The port of Redis and of Valkey, with TLS as well.
const DEFAULT_PORT: u16 = 6379;

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { is_tls, host, port, database } = self;
        let scheme = if *is_tls { "rediss" } else { "redis" };
        let (open, close) = if host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{scheme}://{open}{host}{close}:{port}/{database}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_the_shared_store_has_scheme_host_port_and_database() {
        for (text, url, is_local) in [
            ("redis://localhost", "redis://localhost:6379/0", true),
            ("REDISS://Redis.Example:6380/3", "rediss://redis.example:6380/3", false),
            ("redis://127.0.0.7:1/", "redis://127.0.0.7:1/0", true),
            ("redis://[::1]:65535/15", "redis://[::1]:65535/15", true),
            ("redis://[::ffff:127.0.0.1]", "redis://[::ffff:127.0.0.1]:6379/0", true),
            ("rediss://10.0.0.7", "rediss://10.0.0.7:6379/0", false),
        ] {
            let found: StoreUrl = text.parse().unwrap();
            assert_eq!((found.to_string().as_str(), found.is_local()), (url, is_local));
            assert_eq!(found.is_tls(), url.starts_with("rediss:"));
            assert_eq!(found.to_string().parse(), Ok(found));
        }
    }

    #[test]
    fn what_is_no_address_of_the_shared_store_is_rejected() {
        for (text, error) in [
            ("redis.example:6379", StoreUrlError::Malformed),
            ("https://redis.example", StoreUrlError::Malformed),
            ("redis://", StoreUrlError::Malformed),
            ("redis://:6379", StoreUrlError::Malformed),
            ("redis://[::1", StoreUrlError::Malformed),
            ("redis://[redis]", StoreUrlError::Malformed),
            ("redis://a b", StoreUrlError::Malformed),
            ("redis://host?db=1", StoreUrlError::Malformed),
            ("rediss://svc:hunter2@host", StoreUrlError::UserInfo),
            ("rediss://:hunter2@host:6379", StoreUrlError::UserInfo),
            ("redis://host/a@b", StoreUrlError::UserInfo),
            ("redis://host:", StoreUrlError::Port),
            ("redis://host:0", StoreUrlError::Port),
            ("redis://host:+1", StoreUrlError::Port),
            ("redis://host:65536", StoreUrlError::Port),
            ("redis://::1", StoreUrlError::Malformed),
            ("redis://[::1]6379", StoreUrlError::Port),
            ("redis://host/-1", StoreUrlError::Database),
            ("redis://host/first", StoreUrlError::Database),
            ("redis://host/0/1", StoreUrlError::Database),
        ] {
            assert_eq!(text.parse::<StoreUrl>(), Err(error), "{text}");
        }
    }
}
