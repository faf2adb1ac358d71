//! What proves to Entra that we are the application, and where it is kept.

mod assertion;
mod certificate;
mod fingerprint;
mod secrets;

use std::path::{Path, PathBuf};

pub use certificate::{CertificateError, CertificateFiles, CertificateProblem, SigningCertificate};
pub use fingerprint::Fingerprint;
pub use secrets::{KeptSecret, SecretSources};

use crate::secret::{self, Secret, SecretError, SecretSource};

use super::ClientId;

/// What proves that we are the application.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Credential {
    /// A client secret, kept in one of these places.
    ClientSecret(SecretSources),
    /// A certificate whose key signs a fresh statement for each token request.
    ClientCertificate(CertificateFiles),
    /// A file in which somebody else, such as Kubernetes, keeps a token about us fresh (workload identity federation).
    FederatedToken(PathBuf),
    /// What Azure vouches for, on its own machines.
    ManagedIdentity(ManagedIdentity),
}

/// An identity that Azure gives to a machine or service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ManagedIdentity {
    /// Of a user-assigned identity; `None`: the system-assigned one.
    pub client_id: Option<ClientId>,
}

impl Credential {
    /// What people call it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ClientSecret(_) => "client secret",
            Self::ClientCertificate(_) => "certificate",
            Self::FederatedToken(_) => "federated token",
            Self::ManagedIdentity(_) => "managed identity",
        }
    }

    /// What its sources hold now, as far as that is cheaply seen: commands are not run. It tells whether something was changed.
    pub async fn glance(&self) -> Fingerprint {
        self.fingerprint(false).await
    }

    /// What all of its sources hold now.
    pub async fn look(&self) -> Fingerprint {
        self.fingerprint(true).await
    }

    /// Whether a glance does not see all of it.
    pub fn has_commands(&self) -> bool {
        match self {
            Self::ClientSecret(sources) => sources.iter().any(|kept| matches!(kept.source, SecretSource::Command(_))),
            _ => false,
        }
    }

    async fn fingerprint(&self, runs_commands: bool) -> Fingerprint {
        let mut all = fingerprint::Gathering::default();
        match self {
            Self::ClientSecret(sources) => {
                for KeptSecret { source, .. } in sources.iter() {
                    if runs_commands || !matches!(source, SecretSource::Command(_)) {
                        all.add(
                            source.read("client secret").await.ok().as_ref().map(|secret| secret.expose().as_bytes()),
                        );
                    }
                }
            }
            Self::ClientCertificate(files) => {
                for path in files.paths() {
                    all.add(secret::read_file(path).await.ok().as_ref().map(|bytes| bytes.as_slice()));
                }
            }
            Self::FederatedToken(path) => {
                all.add(federated_token(path).await.ok().as_ref().map(|token| token.expose().as_bytes()));
            }
            Self::ManagedIdentity(_) => {}
        }
        all.finish()
    }
}

impl ManagedIdentity {
    /// Whether its own token is the application's; otherwise it vouches for the application.
    pub fn is(self, application: ClientId) -> bool {
        self.client_id.is_none_or(|own| own == application)
    }
}

/// The token that is in the file now.
pub async fn federated_token(path: &Path) -> Result<Secret, SecretError> {
    SecretSource::File(path.to_owned()).read("federated token").await
}
