//! The application's credential as the options or answers give it.

use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use crate::cli::common::private_file;
use crate::doctor::Wrong;
use crate::entra::{CertificateFiles, ClientSecret, ClientSecrets, Credential};
use crate::guide::Step;
use crate::secret::SecretSource;

/// The application's credential as the options or answers give it.
pub enum CredentialInput {
    Secret(SecretSource),
    /// A secret typed on the terminal, to be written to [`super::yaml::SECRET_FILE`].
    TypedSecret(Zeroizing<String>),
    Certificate(CertificateFiles),
}

impl CredentialInput {
    /// Returns a credential to sign in with, and the temporary file with a typed secret, which must outlive it.
    pub fn to_credential(&self) -> Result<(Credential, Option<NamedTempFile>), Wrong> {
        let (source, file) = match self {
            Self::Certificate(files) => return Ok((Credential::ClientCertificate(files.clone()), None)),
            Self::Secret(source) => (source.clone(), None),
            Self::TypedSecret(value) => {
                let file = private_file::write(&std::env::temp_dir(), value.as_bytes()).map_err(|error| {
                    let what = format!("Writing the secret to a temporary file failed ({error})");
                    Wrong::new(
                        Step::Credential,
                        what,
                        "Put the secret into a file and name it with --client-secret-file.",
                    )
                })?;
                (SecretSource::File(file.path().to_owned()), Some(file))
            }
        };
        let first = ClientSecret { source, expires: None };
        Ok((Credential::ClientSecret(ClientSecrets { first, others: Vec::new() }), file))
    }
}
