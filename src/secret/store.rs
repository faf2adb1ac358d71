//! Secrets that Windows encrypts for this machine, a file each: `secrets\NAME.dpapi` beside the configuration file.
//!
//! The file holds what Windows returns and nothing else. That begins with a version of its own, so the file has none.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::content::MAX_SECRET_BYTES;
use super::dpapi::ThisMachine;
use super::{Secret, SecretName};

/// Encryption with a key that only this machine has.
pub trait MachineEncryption {
    /// Encrypts a secret.
    fn encrypt(&self, secret: &[u8]) -> io::Result<Vec<u8>>;

    /// Decrypts what this machine has encrypted. Fails for everything else.
    fn decrypt(&self, encrypted: &[u8]) -> io::Result<Zeroizing<Vec<u8>>>;
}

/// The folder with the secrets of a configuration file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SecretStore {
    folder: PathBuf,
}

/// A secret that the configuration names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WindowsSecret {
    /// Where it is stored.
    pub store: SecretStore,
    /// Its name there.
    pub name: SecretName,
}

/// What is known of a stored secret without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSecret {
    /// Its name.
    pub name: SecretName,
    /// When it was stored.
    pub stored_at: SystemTime,
}

/// Why a secret can't be read, stored or removed. The message names the file, never a value.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such secret.
    #[error("there is no file {}; run `bcproxy service secret set {name}`", path.display())]
    Missing {
        /// Where it would be.
        path: PathBuf,
        /// The name of the secret.
        name: SecretName,
    },
    /// The file can't be read.
    #[error(
        "{} can't be read ({error}); `bcproxy service install` gives the service's account access, and administrators \
         need a terminal that was opened with \"Run as administrator\"",
        path.display()
    )]
    Unreadable {
        /// The file, or the folder of all secrets.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// Another machine has encrypted it, or the file is damaged.
    #[error(
        "it can't be decrypted ({error}): it was stored on another machine or before Windows was reinstalled, or it is \
         damaged; run `bcproxy service secret set {name}`"
    )]
    NotDecrypted {
        /// The name of the secret.
        name: SecretName,
        /// The system's error.
        error: io::Error,
    },
    /// The system does not encrypt it.
    #[error("it can't be encrypted ({0}); check that the Windows service \"Cryptographic Services\" runs")]
    NotEncrypted(io::Error),
    /// The file can't be written or removed.
    #[error(
        "{} can't be written ({error}); use a terminal that was opened with \"Run as administrator\"",
        path.display()
    )]
    NotWritten {
        /// The file, or the folder of all secrets.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
}

impl StoreError {
    /// What is wrong with the secret, after its name, and what to do. Quotes neither names nor the system's error.
    pub fn finding(&self) -> (&'static str, &'static str) {
        match self {
            Self::Missing { .. } => ("is not stored", SET),
            Self::Unreadable { error, .. } if error.kind() == io::ErrorKind::PermissionDenied => (
                "can't be read by this account",
                "run `bcproxy service install`, which gives the service's account access",
            ),
            Self::Unreadable { .. } => ("can't be read", SET),
            Self::NotDecrypted { .. } | Self::NotEncrypted(_) | Self::NotWritten { .. } => (
                "can't be decrypted: it was stored on another machine or before Windows was reinstalled, or it is damaged",
                SET,
            ),
        }
    }
}

const SET: &str = "run `bcproxy service secret set NAME` with the name written here";

impl SecretStore {
    /// The store that belongs to a configuration file.
    pub fn of_configuration(file: &Path) -> Self {
        Self { folder: file.with_file_name(FOLDER) }
    }

    /// The folder with the files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file with a secret.
    pub fn path(&self, name: &SecretName) -> PathBuf {
        self.folder.join(format!("{name}.{EXTENSION}"))
    }

    /// Reads and decrypts a secret.
    pub fn read(&self, name: &SecretName, machine: &impl MachineEncryption) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let path = self.path(name);
        let encrypted = match read_bounded(&path) {
            Ok(encrypted) => encrypted,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::Missing { path, name: name.clone() });
            }
            Err(error) => return Err(StoreError::Unreadable { path, error }),
        };
        machine.decrypt(&encrypted).map_err(|error| StoreError::NotDecrypted { name: name.clone(), error })
    }

    /// Encrypts a secret and replaces its file as a whole, or creates it. Returns whether there was one before.
    ///
    /// The folder must exist. The file has the access that the folder gives.
    pub fn write(
        &self,
        name: &SecretName,
        secret: &Secret,
        machine: &impl MachineEncryption,
    ) -> Result<bool, StoreError> {
        let encrypted = machine.encrypt(secret.expose().as_bytes()).map_err(StoreError::NotEncrypted)?;
        let path = self.path(name);
        let existed = path.exists();
        let write = || -> io::Result<()> {
            let mut file = NamedTempFile::with_prefix_in(".bcproxy-", &self.folder)?;
            file.write_all(&encrypted)?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            Ok(())
        };
        write().map(|()| existed).map_err(|error| StoreError::NotWritten { path: path.clone(), error })
    }

    /// Removes a secret.
    pub fn remove(&self, name: &SecretName) -> Result<(), StoreError> {
        let path = self.path(name);
        fs::remove_file(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => StoreError::Missing { path, name: name.clone() },
            _ => StoreError::NotWritten { path, error },
        })
    }

    /// Lists the stored secrets by name. Other files in the folder are ignored.
    pub fn list(&self) -> Result<Vec<StoredSecret>, StoreError> {
        let unreadable = |error| StoreError::Unreadable { path: self.folder.clone(), error };
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unreadable(error)),
        };
        let mut stored = Vec::new();
        for entry in entries {
            let entry = entry.map_err(unreadable)?;
            if let Some(name) = name_of(&entry.path()) {
                let stored_at = entry.metadata().and_then(|metadata| metadata.modified()).map_err(unreadable)?;
                stored.push(StoredSecret { name, stored_at });
            }
        }
        stored.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(stored)
    }
}

impl WindowsSecret {
    /// The file with the secret.
    pub fn path(&self) -> PathBuf {
        self.store.path(&self.name)
    }

    /// Reads and decrypts the secret.
    pub fn read(&self) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        self.store.read(&self.name, &ThisMachine)
    }
}

/// The secret that a file of the folder holds.
fn name_of(file: &Path) -> Option<SecretName> {
    let is_secret = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(EXTENSION));
    file.file_stem().filter(|_| is_secret).and_then(OsStr::to_str)?.parse().ok()
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_STORED_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_STORED_BYTES {
        return Err(io::Error::other(format!("it is larger than {} KiB", MAX_STORED_BYTES / 1024)));
    }
    Ok(bytes)
}

const FOLDER: &str = "secrets";
const EXTENSION: &str = "dpapi";

/// The largest file, in bytes: Windows adds a few hundred bytes to a secret.
const MAX_STORED_BYTES: usize = MAX_SECRET_BYTES + 4096;

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine with a key of one byte.
    struct Machine(u8);

    impl MachineEncryption for Machine {
        fn encrypt(&self, secret: &[u8]) -> io::Result<Vec<u8>> {
            Ok(std::iter::once(self.0).chain(secret.iter().map(|byte| byte ^ self.0)).collect())
        }

        fn decrypt(&self, encrypted: &[u8]) -> io::Result<Zeroizing<Vec<u8>>> {
            match encrypted {
                [key, rest @ ..] if *key == self.0 => Ok(rest.iter().map(|byte| byte ^ key).collect::<Vec<_>>().into()),
                _ => Err(io::ErrorKind::InvalidData.into()),
            }
        }
    }

    fn store() -> (tempfile::TempDir, SecretStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = SecretStore::of_configuration(&folder.path().join("proxy.yaml"));
        fs::create_dir(store.folder()).unwrap();
        (folder, store)
    }

    fn name(text: &str) -> SecretName {
        text.parse().unwrap()
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[test]
    fn a_secret_is_stored_replaced_listed_and_removed() {
        let (folder, store) = store();
        assert!(!store.write(&name("b"), &secret("first"), &Machine(7)).unwrap());
        assert!(store.write(&name("b"), &secret("second"), &Machine(7)).unwrap());
        store.write(&name("a.old"), &secret("x"), &Machine(7)).unwrap();
        assert_eq!(store.read(&name("b"), &Machine(7)).unwrap().as_slice(), b"second");
        assert_eq!(store.path(&name("b")), folder.path().join("secrets").join("b.dpapi"));

        fs::write(store.folder().join("notes.txt"), "").unwrap();
        fs::write(store.folder().join("a b.dpapi"), "").unwrap();
        let listed: Vec<String> = store.list().unwrap().iter().map(|stored| stored.name.to_string()).collect();
        assert_eq!(listed, ["a.old", "b"]);

        store.remove(&name("b")).unwrap();
        assert!(matches!(store.remove(&name("b")), Err(StoreError::Missing { .. })));
        assert!(matches!(store.read(&name("b"), &Machine(7)), Err(StoreError::Missing { .. })));
    }

    #[test]
    fn a_store_that_does_not_exist_is_empty() {
        let store = SecretStore::of_configuration(Path::new("no-such-folder/proxy.yaml"));
        assert_eq!(store.list().unwrap(), []);
    }

    #[test]
    fn each_failure_names_its_step_and_never_a_value() {
        let (_folder, store) = store();
        let message = |machine: u8| store.read(&name("bc"), &Machine(machine)).unwrap_err().to_string();
        assert!(message(7).ends_with("bc.dpapi; run `bcproxy service secret set bc`"), "{}", message(7));

        store.write(&name("bc"), &secret("hunter2"), &Machine(7)).unwrap();
        let other_machine = message(8);
        assert!(other_machine.contains("it was stored on another machine"), "{other_machine}");
        assert!(other_machine.ends_with("; run `bcproxy service secret set bc`"), "{other_machine}");
        fs::write(store.path(&name("bc")), "hunter2").unwrap();
        assert!(!message(7).contains("hunter2"));

        fs::write(store.path(&name("bc")), vec![7; MAX_STORED_BYTES + 1]).unwrap();
        assert!(message(7).contains("it is larger than 68 KiB"), "{}", message(7));
    }

    #[test]
    fn nothing_is_left_behind_by_a_failed_write() {
        struct Broken;
        impl MachineEncryption for Broken {
            fn encrypt(&self, _: &[u8]) -> io::Result<Vec<u8>> {
                Err(io::ErrorKind::Unsupported.into())
            }
            fn decrypt(&self, _: &[u8]) -> io::Result<Zeroizing<Vec<u8>>> {
                Err(io::ErrorKind::Unsupported.into())
            }
        }
        let (_folder, store) = store();
        let failed = store.write(&name("bc"), &secret("hunter2"), &Broken);
        assert!(matches!(failed, Err(StoreError::NotEncrypted(_))));
        fs::create_dir(store.path(&name("bc"))).unwrap();
        let failed = store.write(&name("bc"), &secret("hunter2"), &Machine(7));
        assert!(matches!(failed, Err(StoreError::NotWritten { .. })));
        assert_eq!(fs::read_dir(store.folder()).unwrap().count(), 1);
    }
}
