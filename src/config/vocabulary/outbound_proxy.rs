//! The keys of an outbound proxy.

use super::scalars::{Exception, Text};
use super::secret::{SecretKeys, read_secret};
use crate::config::shape::form::{Form, Shape};
use crate::config::shape::mapping::mapping;
use crate::config::shape::read::At;
use crate::config::yaml::node::Node;
use crate::config::yaml::report::Report;
use crate::outbound::ProxyAddress;
use crate::secret::SecretSource;

mapping! {
    /// A proxy for connections to Entra and Business Central (HTTP `CONNECT`).
    /// Set a user name and password if the proxy requires them (Basic authentication).
    OutboundServerKeys: "outbound proxy", short for url: ProxyAddress {
        /// The address of the proxy: `http://host:port`. Without a port, it is port 80.
        url: ProxyAddress = Required,
        /// The user name.
        user: Text = Optional,
        /// Where the password is stored. Never write the password itself in this file.
        /// bcproxy reads the password again for every connection.
        password: PasswordKey = Optional,
        /// What bcproxy reaches without the proxy, as in `NO_PROXY`.
        /// Possible are hosts, domains with their subdomains (`contoso.local`), addresses and networks (`10.0.0.0/8`).
        /// With a port, as in `gateway:8443`, an entry is for that port only.
        /// This machine (`localhost`, `127.0.0.0/8`, `::1`) never needs the proxy.
        except: Vec<At<Exception>> = Optional,
    }
}

/// Where the password is stored. `None` for an invalid location, which is reported, to distinguish it from an absent
/// one.
#[derive(Debug)]
pub struct PasswordKey(pub Option<At<SecretSource>>);

impl Shape for PasswordKey {
    fn form() -> Form {
        SecretKeys::form()
    }

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        let secret = read_secret(node, "password: { env: PROXY_PASSWORD }", report);
        Some(Self(secret.map(|secret| secret.source)))
    }
}
