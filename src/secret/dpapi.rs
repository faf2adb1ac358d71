//! Encryption by Windows for this machine (DPAPI), and its absence on other systems.

use super::store::MachineEncryption;
use std::io;
use zeroize::Zeroizing;

/// This machine.
///
/// Windows encrypts for the machine, not for an account: whoever stores a secret is not who reads it. What separates
/// accounts is the access to the file. Source: Microsoft, `CryptProtectData`, `CRYPTPROTECT_LOCAL_MACHINE`.
///
/// There is no additional entropy. A constant in a public program protects nothing, and without one PowerShell's
/// `ProtectedData` class reads and writes the same files.
#[derive(Debug, Clone, Copy)]
pub struct ThisMachine;

#[cfg(windows)]
impl MachineEncryption for ThisMachine {
    fn encrypt(&self, secret: &[u8]) -> io::Result<Vec<u8>> {
        windows_dpapi::encrypt_data(secret, windows_dpapi::Scope::Machine, None).map_err(system_error)
    }

    fn decrypt(&self, encrypted: &[u8]) -> io::Result<Zeroizing<Vec<u8>>> {
        windows_dpapi::decrypt_data(encrypted, windows_dpapi::Scope::Machine, None)
            .map(Zeroizing::new)
            .map_err(system_error)
    }
}

/// The error of the system alone.
#[cfg(windows)]
fn system_error(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    let error = error.into();
    let code = error.source().and_then(|cause| cause.downcast_ref::<io::Error>()).and_then(io::Error::raw_os_error);
    code.map_or_else(|| io::Error::other(error), io::Error::from_raw_os_error)
}

#[cfg(not(windows))]
impl MachineEncryption for ThisMachine {
    fn encrypt(&self, _secret: &[u8]) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn decrypt(&self, _encrypted: &[u8]) -> io::Result<Zeroizing<Vec<u8>>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(all(test, windows))]
mod tests {
    use super::*;

    #[test]
    fn what_windows_encrypts_it_decrypts() {
        let encrypted = ThisMachine.encrypt(b"s3cret~").unwrap();
        assert!(!encrypted.windows(7).any(|part| part == b"s3cret~"));
        assert_eq!(ThisMachine.decrypt(&encrypted).unwrap().as_slice(), b"s3cret~");
        assert!(ThisMachine.decrypt(b"s3cret~").is_err());
    }
}
