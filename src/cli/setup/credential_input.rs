//! The application's credential as the options or answers give it.

use crate::entra::{CertificateFiles, ClientSecret, ClientSecrets, Credential};
use crate::secret::SecretSource;

/// The application's credential as the options or answers give it.
pub enum CredentialInput {
    /// A typed secret is written to [`super::yaml::SECRET_FILE`] in the end.
    Secret(SecretSource),
    Certificate(CertificateFiles),
}

impl CredentialInput {
    /// A credential to sign in with.
    pub fn to_credential(&self) -> Credential {
        match self {
            Self::Certificate(files) => Credential::ClientCertificate(files.clone()),
            Self::Secret(source) => Credential::ClientSecret(ClientSecrets {
                first: ClientSecret { source: source.clone(), expires: None },
                others: Vec::new(),
            }),
        }
    }
}
