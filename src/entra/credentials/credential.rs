//! The credential of an application.

use std::path::{Path, PathBuf};

use super::certificate::CertificateFiles;
use super::client_secrets::{ClientSecret, ClientSecrets};
use super::fingerprint::{Fingerprint, FingerprintBuilder};
use crate::entra::ids::ClientId;
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

/// A managed identity: one that Azure gives to a machine or service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ManagedIdentity {
    /// The client ID of a user-assigned identity; `None` selects the system-assigned one.
    pub client_id: Option<ClientId>,
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
        match self {
            Self::ClientSecret(secrets) => {
                secrets.iter().any(|secret| matches!(secret.source, SecretSource::Command(_)))
            }
            _ => false,
        }
    }

    async fn fingerprint_with(&self, runs_commands: bool) -> Fingerprint {
        let mut builder = FingerprintBuilder::default();
        match self {
            Self::ClientSecret(secrets) => {
                for ClientSecret { source, .. } in secrets.iter() {
                    if runs_commands || !matches!(source, SecretSource::Command(_)) {
                        let secret = source.read("client secret").await.ok();
                        builder.add(secret.as_ref().map(|secret| secret.expose().as_bytes()));
                    }
                }
            }
            Self::ClientCertificate(files) => {
                for path in files.paths() {
                    builder.add(secret::read_file(path).await.ok().as_ref().map(|bytes| bytes.as_slice()));
                }
            }
            Self::FederatedToken(path) => {
                builder.add(federated_token(path).await.ok().as_ref().map(|token| token.expose().as_bytes()));
            }
            Self::ManagedIdentity(_) => {}
        }
        builder.finish()
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
