//! Where secrets and certificates are kept: paths are relative to the folder of the configuration file.

use std::path::Path;

use crate::config::vocabulary::credentials::ClientCertificateKeys;
use crate::config::vocabulary::secret::SecretLocation;
use crate::entra::CertificateFiles;
use crate::secret::SecretSource;

/// Where a secret is kept.
pub fn secret_source(place: &SecretLocation, folder: &Path) -> SecretSource {
    match place {
        SecretLocation::Env(name, _) => SecretSource::Env(name.0.clone()),
        SecretLocation::File(path, _) => SecretSource::File(folder.join(path)),
        SecretLocation::Command(argv) => SecretSource::Command(argv.clone()),
    }
}

/// Where the files of a certificate are.
pub fn certificate_files(files: &ClientCertificateKeys, folder: &Path) -> Option<CertificateFiles> {
    Some(CertificateFiles {
        certificate: folder.join(&files.certificate.as_ref()?.value),
        private_key: files.private_key.as_ref().map(|path| folder.join(&path.value)),
    })
}
