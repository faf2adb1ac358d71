//! Stores a secret where only the service and administrators can read it.

use super::account::ServiceAccount;
use crate::cli::common::{Failure, private_file};
use crate::secret::{MachineEncryption, Secret, SecretName, SecretStore};
use crate::small_file;

/// Encrypts and stores a secret. Returns whether it replaced another one.
///
/// A new folder can be used by its owner, administrators and the system, and read by the service's account. An existing
/// one can be read by that account from then on.
pub fn store_secret(
    store: &SecretStore,
    name: &SecretName,
    secret: &Secret,
    account: &ServiceAccount,
    machine: &impl MachineEncryption,
) -> Result<bool, Failure> {
    let readers = [account.trustee()];
    for (folder, readers) in [(small_file::folder(store.folder()), &[][..]), (store.folder(), &readers)] {
        private_file::create_folder(folder, readers).map_err(|error| {
            Failure::Failed(format!(
                "Creating {} failed: {error}. Open the terminal with \"Run as administrator\".",
                folder.display()
            ))
        })?;
    }
    store.write(name, secret, machine).map_err(|error| Failure::Failed(format!("The secret was not stored: {error}.")))
}

/// Describes who can read a stored secret.
pub fn readers(account: &ServiceAccount) -> String {
    format!("encrypted for this machine; only you, administrators, the system and {account} can read it")
}

#[cfg(test)]
mod tests {
    use std::io;

    use zeroize::Zeroizing;

    use super::*;

    /// Encrypts by inverting all bits.
    struct Machine;

    impl MachineEncryption for Machine {
        fn encrypt(&self, secret: &[u8]) -> io::Result<Vec<u8>> {
            Ok(secret.iter().map(|byte| !byte).collect())
        }

        fn decrypt(&self, encrypted: &[u8]) -> io::Result<Zeroizing<Vec<u8>>> {
            Ok(encrypted.iter().map(|byte| !byte).collect::<Vec<_>>().into())
        }
    }

    #[test]
    fn the_folders_are_created_with_the_first_secret() {
        let folder = tempfile::tempdir().unwrap();
        let store = SecretStore::of_configuration(&folder.path().join("bcproxy").join("proxy.yaml"));
        let (name, account) = ("bc".parse().unwrap(), ServiceAccount::of_service("bcproxy"));
        let store_value = |value: &str| {
            store_secret(&store, &name, &Secret::new(value.to_owned()), &account, &Machine).unwrap_or_else(|_| panic!())
        };
        assert_eq!((store_value("first"), store_value("second")), (false, true));
        assert_eq!(store.read(&name, &Machine).unwrap().as_slice(), b"second");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            for folder in [folder.path().join("bcproxy"), store.folder().to_owned()] {
                assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700);
            }
            assert_eq!(store.path(&name).metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_folder_that_can_not_be_created_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let store = SecretStore::of_configuration(&folder.path().join("a").join("b").join("proxy.yaml"));
        let account = ServiceAccount::of_service("bcproxy");
        let failed = store_secret(&store, &"bc".parse().unwrap(), &Secret::new("x".to_owned()), &account, &Machine);
        let Err(Failure::Failed(text)) = failed else { panic!() };
        assert!(text.starts_with("Creating ") && text.contains("Run as administrator"), "{text}");
    }
}
