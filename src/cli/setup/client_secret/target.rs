//! Where a typed client secret is stored: in a file, or in the store of Windows.

use std::path::{Path, PathBuf};

use anstream::println;

use crate::cli::common::{Failure, private_file};
use crate::cli::service::store_for_service;
use crate::cli::setup::output::failed;
use crate::cli::setup::prompt::Prompt;
use crate::cli::setup::target;
use crate::secret::{Secret, SecretNameError, SecretStore, WindowsSecret};
use crate::small_file;

/// The system that the configuration is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    Windows,
    Other,
}

/// Where a typed client secret is stored.
pub enum SecretTarget {
    /// A file beside the configuration file.
    File(PathBuf),
    /// The store of Windows.
    Windows(WindowsSecret),
}

impl Platform {
    /// This system.
    pub const THIS: Self = if cfg!(windows) { Self::Windows } else { Self::Other };
}

impl SecretTarget {
    /// Chooses the target beside the configuration `file`. One that holds another secret is replaced only after a yes.
    pub fn choose(
        platform: Platform,
        file: &Path,
        secret: &Secret,
        prompt: &Prompt,
        overwrite: bool,
    ) -> Result<Self, Failure> {
        match platform {
            Platform::Windows => Self::in_store(file, secret, prompt, overwrite),
            Platform::Other => Self::in_file(file, secret, prompt, overwrite),
        }
    }

    fn in_file(file: &Path, secret: &Secret, prompt: &Prompt, overwrite: bool) -> Result<Self, Failure> {
        let path = file.with_file_name(SECRET_FILE);
        let holds_it = || small_file::read(&path).is_ok_and(|bytes| is_value(&bytes, secret));
        if overwrite || !path.exists() || holds_it() {
            return Ok(Self::File(path));
        }
        let other = path.with_file_name(target::free_name(&path));
        let question = format!(
            "{} exists and holds another secret. Replace it? If not, the new secret goes to {}.",
            path.display(),
            other.display()
        );
        Ok(Self::File(if prompt.confirm(&question, false, false)? { path } else { other }))
    }

    fn in_store(file: &Path, secret: &Secret, prompt: &Prompt, overwrite: bool) -> Result<Self, Failure> {
        let store = SecretStore::of_configuration(file);
        let invalid = |error: SecretNameError| Failure::Failed(error.to_string());
        let named = |name: &str| name.parse().map(|name| WindowsSecret { store: store.clone(), name }).map_err(invalid);
        let usual = named(SECRET_NAME)?;
        let holds_it = || usual.read().is_ok_and(|bytes| is_value(&bytes, secret));
        if overwrite || !usual.path().exists() || holds_it() {
            return Ok(Self::Windows(usual));
        }
        let free = target::free_name(&usual.path());
        let other = named(&free.file_stem().unwrap_or_default().to_string_lossy())?;
        let question = format!(
            "A secret {} is stored already, with another value. Replace it? If not, the new secret is stored as {}.",
            usual.name, other.name
        );
        Ok(Self::Windows(if prompt.confirm(&question, false, false)? { usual } else { other }))
    }

    /// Writes the secret, and prints where it is.
    pub fn write(&self, secret: &Secret) -> Result<(), Failure> {
        match self {
            Self::File(path) => {
                let written = private_file::write_for_service(small_file::folder(path), secret.expose().as_bytes());
                let written = written.map_err(|error| failed(path, &error))?;
                written.persist(path).map_err(|error| failed(path, &error))?;
                println!("Wrote {} (the client secret; {})", path.display(), private_file::readers(path));
            }
            Self::Windows(stored) => {
                let readers = store_for_service(stored, secret)?;
                println!("Wrote {} (the client secret, {readers})", stored.path().display());
            }
        }
        Ok(())
    }
}

/// Whether this is the secret, perhaps with white space around it.
fn is_value(bytes: &[u8], secret: &Secret) -> bool {
    bytes.trim_ascii() == secret.expose().as_bytes()
}

/// The file for a typed secret, in the folder of the configuration.
const SECRET_FILE: &str = "client-secret.txt";

/// The name of a typed secret in the store of Windows.
const SECRET_NAME: &str = "client-secret";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SecretName;

    fn name(target: Result<SecretTarget, Failure>) -> String {
        match target {
            Ok(SecretTarget::Windows(secret)) => secret.name.to_string(),
            Ok(SecretTarget::File(path)) => path.file_name().unwrap().to_string_lossy().into_owned(),
            Err(_) => "nothing".to_owned(),
        }
    }

    #[test]
    fn a_secret_that_is_stored_already_is_not_replaced_without_a_yes() {
        let folder = tempfile::tempdir().unwrap();
        let (file, prompt) = (folder.path().join("proxy.yaml"), Prompt { is_interactive: false });
        let secret = Secret::new("s3cret~".to_owned());
        let choose = |platform, overwrite| name(SecretTarget::choose(platform, &file, &secret, &prompt, overwrite));
        assert_eq!(choose(Platform::Other, false), "client-secret.txt");
        assert_eq!(choose(Platform::Windows, false), "client-secret");

        std::fs::write(folder.path().join("client-secret.txt"), "another").unwrap();
        let store = SecretStore::of_configuration(&file);
        std::fs::create_dir(store.folder()).unwrap();
        std::fs::write(store.path(&"client-secret".parse::<SecretName>().unwrap()), "another").unwrap();
        assert_eq!(choose(Platform::Other, false), "client-secret-2.txt");
        assert_eq!(choose(Platform::Windows, false), "client-secret-2");
        assert_eq!(choose(Platform::Windows, true), "client-secret");

        std::fs::write(folder.path().join("client-secret.txt"), "s3cret~\n").unwrap();
        assert_eq!(choose(Platform::Other, false), "client-secret.txt");
    }
}
