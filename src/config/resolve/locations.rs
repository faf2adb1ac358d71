//! Paths of secrets and certificates, resolved against the folder of the configuration file.

use std::path::Path;

use crate::config::vocabulary::credentials::ClientCertificateKeys;
use crate::config::vocabulary::secret::SecretLocation;
use crate::entra::CertificateFiles;
use crate::secret::SecretSource;

/// The source of a secret.
pub fn secret_source(location: &SecretLocation, folder: &Path) -> SecretSource {
    match location {
        SecretLocation::Env(name, _) => SecretSource::Env(name.0.clone()),
        SecretLocation::File(path, _) => SecretSource::File(folder.join(path)),
        SecretLocation::Command(argv) => SecretSource::Command(argv.clone()),
    }
}

/// The files of a certificate.
pub fn certificate_files(files: &ClientCertificateKeys, folder: &Path) -> Option<CertificateFiles> {
    Some(CertificateFiles {
        certificate: folder.join(&files.certificate.as_ref()?.value),
        private_key: files.private_key.as_ref().map(|path| folder.join(&path.value)),
    })
}
