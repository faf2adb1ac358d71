//! The application's credential as the options or answers give it.

use super::arguments::Arguments;
use super::paths::absolute;
use crate::cli::common::Failure;
use crate::entra::{CertificateFiles, ClientSecret, ClientSecrets, Credential};
use crate::secret::SecretSource;

/// The application's credential as the options or answers give it.
pub enum CredentialInput {
    /// A typed secret is written to [`super::yaml::SECRET_FILE`] in the end.
    Secret(SecretSource),
    Certificate(CertificateFiles),
}

impl CredentialInput {
    /// The credential that the options name.
    pub fn given(arguments: &Arguments) -> Result<Option<Self>, Failure> {
        Ok(match (&arguments.client_secret_file, &arguments.client_secret_env, &arguments.certificate) {
            (Some(path), _, _) => Some(Self::Secret(SecretSource::File(absolute(path)?))),
            (None, Some(variable), _) => Some(Self::Secret(SecretSource::Env(variable.clone()))),
            (None, None, Some(certificate)) => Some(Self::Certificate(CertificateFiles {
                certificate: absolute(certificate)?,
                private_key: arguments.private_key.as_deref().map(absolute).transpose()?,
            })),
            (None, None, None) => None,
        })
    }

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
