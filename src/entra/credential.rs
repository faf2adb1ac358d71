//! The credential of an application: where it is stored, and how a change of it is detected.

use std::hash::{BuildHasher, Hash, RandomState};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use time::Date;

use super::certificate::CertificateFiles;
use super::ids::ClientId;
use crate::secret::{self, Secret, SecretError, SecretSource};

/// The credential of an application: proof towards Entra that we are this application.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Credential {
    /// One or more client secrets.
    ClientSecret(ClientSecrets),
    /// A certificate whose key signs a new assertion for each token request.
    ClientCertificate(CertificateFiles),
    /// A token file that another service, such as Kubernetes, keeps up to date (workload identity federation).
    FederatedToken(PathBuf),
    /// An identity that Azure gives to the machine bcproxy runs on.
    ManagedIdentity(ManagedIdentity),
}

/// The secrets of an application, tried in order. During a rotation the list holds the old and the new one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientSecrets {
    /// Tried first.
    pub first: ClientSecret,
    /// Tried in order when Entra rejects the one before.
    pub others: Vec<ClientSecret>,
}

/// A client secret: where it is stored, and when it expires.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientSecret {
    /// Where it is stored.
    pub source: SecretSource,
    /// The last day it is valid, as noted in `proxy.yaml`. Entra does not reveal it.
    pub expires: Option<Date>,
}

/// A managed identity: one that Azure gives to a machine or service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ManagedIdentity {
    /// The client ID of a user-assigned identity; `None` selects the system-assigned one.
    pub client_id: Option<ClientId>,
}

/// A hash of what a credential's sources hold, keyed per process: it reveals a change without a copy of the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// The fingerprint of these contents.
    pub fn of(content: impl Hash) -> Self {
        static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        Self(KEY.hash_one(content))
    }
}

impl Credential {
    /// The kind of credential, as named in the set-up guide.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ClientSecret(_) => "client secret",
            Self::ClientCertificate(_) => "certificate",
            Self::FederatedToken(_) => "federated token",
            Self::ManagedIdentity(_) => "managed identity",
        }
    }

    /// The fingerprint of its files and variables. Does not run commands, so it is cheap.
    pub async fn quick_fingerprint(&self) -> Fingerprint {
        self.fingerprint_with(false).await
    }

    /// The fingerprint of all its sources. Runs commands.
    pub async fn fingerprint(&self) -> Fingerprint {
        self.fingerprint_with(true).await
    }

    /// Whether a secret comes from a command, which [`quick_fingerprint`](Self::quick_fingerprint) leaves out.
    pub fn has_commands(&self) -> bool {
        let is_command = |secret: &ClientSecret| matches!(secret.source, SecretSource::Command(_));
        matches!(self, Self::ClientSecret(secrets) if secrets.iter().any(is_command))
    }

    async fn fingerprint_with(&self, runs_commands: bool) -> Fingerprint {
        // `None` for a source that can't be read.
        let mut sources: Vec<Option<Fingerprint>> = Vec::new();
        match self {
            Self::ClientSecret(secrets) => {
                for ClientSecret { source, .. } in secrets.iter() {
                    if runs_commands || !matches!(source, SecretSource::Command(_)) {
                        let secret = source.read("client secret").await;
                        sources.push(secret.ok().map(|secret| Fingerprint::of(secret.expose())));
                    }
                }
            }
            Self::ClientCertificate(files) => {
                for path in files.paths() {
                    sources.push(secret::read_file(path).await.ok().map(|bytes| Fingerprint::of(bytes.as_slice())));
                }
            }
            Self::FederatedToken(path) => {
                sources.push(federated_token(path).await.ok().map(|token| Fingerprint::of(token.expose())));
            }
            Self::ManagedIdentity(_) => {}
        }
        Fingerprint::of(sources)
    }
}

impl ClientSecrets {
    /// Iterates in the order in which the secrets are tried.
    pub fn iter(&self) -> impl Iterator<Item = &ClientSecret> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

impl ManagedIdentity {
    /// Whether the identity is the application itself. Any other identity vouches for the application.
    pub fn is_application(self, application: ClientId) -> bool {
        self.client_id.is_none_or(|own| own == application)
    }
}

/// Reads the current federated token from its file.
pub async fn federated_token(path: &Path) -> Result<Secret, SecretError> {
    SecretSource::File(path.to_owned()).read("federated token").await
}
