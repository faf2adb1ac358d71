//! The keys of the shared store.

use std::path::PathBuf;
use std::time::Duration;

use super::scalars::{KeyPrefix, Text};
use super::secret::{SecretKeys, read_secret};
use crate::config::model::StoreUrl;
use crate::config::shape::{At, Form, Shape, mapping};
use crate::config::yaml::{Node, Report};
use crate::secret::SecretSource;

mapping! {
    /// The shared store: Redis or Valkey, version 7 or later. Replicas of bcproxy share Business Central's limits
    /// through it, and which responses in their caches have become outdated. All replicas need the same `url`,
    /// `prefix` and `limits`. While the shared store is away, each replica uses its share of the limits.
    /// A change of these keys needs a restart.
    SharedLimitsKeys: "shared_limits section" {
        /// The address: `rediss://redis.example:6379`, or `redis://` without TLS.
        /// A path is the number of a database: `rediss://redis.example:6379/1`. Without a port, it is port 6379.
        url: StoreUrl = Required,
        /// The user of the shared store's access control list (ACL). Default: its default user.
        user: Text = Optional,
        /// Where the password is stored. Never write the password itself in this file.
        /// bcproxy reads the password again for every connection.
        /// It is sent to another machine only with TLS.
        password: StorePasswordKey = Optional,
        /// A PEM file of certificates to trust in addition to those that this machine trusts.
        /// Relative to the folder of `proxy.yaml`.
        ca_file: PathBuf = Optional,
        /// The beginning of all keys and channels. Replicas with different prefixes share nothing.
        prefix: KeyPrefix = Default("bcproxy"),
        /// How long the shared store may take to respond, at most `2s`. After that, the replica continues with its
        /// share of the limits.
        timeout: Duration = Default("50ms"),
    }
}

impl SharedLimitsKeys {
    /// Where the password is stored.
    pub fn password_source(&self) -> Option<&At<SecretSource>> {
        self.password.as_ref()?.value.0.as_ref()
    }
}

/// Where the password is stored. `None` for an invalid location, which is reported, to distinguish it from an absent
/// one.
#[derive(Debug)]
pub struct StorePasswordKey(pub Option<At<SecretSource>>);

impl Shape for StorePasswordKey {
    fn form() -> Form {
        SecretKeys::form()
    }

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        let secret = read_secret(node, "password: { env: REDIS_PASSWORD }", report);
        Some(Self(secret.map(|secret| secret.source)))
    }
}
