//! What the file holds of a password or an API key.

use std::str::FromStr;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Argon2, Params};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bcrypt::HashParts;
use ring::digest::{SHA256, digest};
use ring::error::Unspecified;
use ring::rand::{SecureRandom, SystemRandom};

use crate::ntlm::NtHash;
use crate::secret::Secret;
use crate::units::hex;

/// A stored hash. Its text is a field of the file.
#[derive(Clone)]
pub struct StoredHash(Stored);

#[derive(Clone)]
enum Stored {
    /// `$argon2id$v=19$m=…,t=…,p=…$SALT$HASH`, the form of the PHC.
    Argon2id(String),
    /// `$2y$COST$…`, as `htpasswd -B` writes it.
    Bcrypt(String),
    /// `$3$$HEX`, as FreeBSD's crypt(3) writes it: the NT hash, for NTLM.
    Nt(NtHash),
    /// `$sha256$HEX`: the SHA-256 of a random key.
    ApiKey([u8; 32]),
}

/// The kinds of stored hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashKind {
    /// Argon2id.
    Argon2id,
    /// bcrypt.
    Bcrypt,
    /// The NT hash of a user of NTLM.
    Nt,
    /// The hash of an API key.
    ApiKey,
}

/// Why text is no stored hash. No message repeats any of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// The text begins like none of the kinds.
    #[error("it is of no known kind; known are $argon2id$, $2y$ (bcrypt), $3$ (NTLM) and $sha256$ (API key)")]
    Unknown,
    /// The text is damaged.
    #[error("it is damaged")]
    Damaged,
    /// The hash would take too much time or memory to check.
    #[error("it takes too much to check; the most is 256 MiB and 16 passes for Argon2id, and cost 14 for bcrypt")]
    TooCostly,
}

impl StoredHash {
    /// Hashes a password with Argon2id: 19 MiB, two passes, as OWASP's Password Storage Cheat Sheet advises.
    ///
    /// Fails if the system has no randomness.
    pub fn of_password(password: &Secret) -> Result<Self, Unspecified> {
        let hashed = Argon2::default().hash_password_with_salt(password.expose().as_bytes(), &random::<16>()?);
        Ok(Self(Stored::Argon2id(hashed.map_err(|_| Unspecified)?.to_string())))
    }

    /// Hashes the password of a user of NTLM.
    pub fn of_ntlm_password(password: &Secret) -> Self {
        Self(Stored::Nt(NtHash::of(password.expose())))
    }

    /// Hashes an API key.
    pub fn of_api_key(key: &[u8]) -> Self {
        Self(Stored::ApiKey(hash_of_key(key)))
    }

    /// Its kind.
    pub fn kind(&self) -> HashKind {
        match self.0 {
            Stored::Argon2id(_) => HashKind::Argon2id,
            Stored::Bcrypt(_) => HashKind::Bcrypt,
            Stored::Nt(_) => HashKind::Nt,
            Stored::ApiKey(_) => HashKind::ApiKey,
        }
    }

    /// The NT hash, if it is one.
    pub fn nt_hash(&self) -> Option<&NtHash> {
        match &self.0 {
            Stored::Nt(hash) => Some(hash),
            _ => None,
        }
    }

    /// The hash of an API key, if it is one.
    pub fn api_key(&self) -> Option<[u8; 32]> {
        match self.0 {
            Stored::ApiKey(hash) => Some(hash),
            _ => None,
        }
    }

    /// Whether this is the password. Takes tens of milliseconds, except for an NT hash. The comparison takes the same
    /// time wherever two hashes differ.
    pub fn matches(&self, password: &Secret) -> bool {
        let password = password.expose();
        match &self.0 {
            Stored::Argon2id(text) => PasswordHash::new(text)
                .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()),
            Stored::Bcrypt(text) => bcrypt::verify(password, text).unwrap_or(false),
            Stored::Nt(hash) => {
                let other = NtHash::of(password);
                let differences =
                    hash.expose().iter().zip(other.expose()).fold(0, |all, (one, other)| all | (one ^ other));
                differences == 0
            }
            Stored::ApiKey(_) => false,
        }
    }
}

impl FromStr for StoredHash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        let stored = if text.starts_with("$argon2id$") {
            let hash = PasswordHash::new(text).map_err(|_| HashError::Damaged)?;
            let params = Params::try_from(&hash).map_err(|_| HashError::Damaged)?;
            if hash.hash.is_none() || hash.salt.is_none() {
                return Err(HashError::Damaged);
            }
            if params.m_cost() > MAX_ARGON2_KIB || params.t_cost() > MAX_ARGON2_PASSES {
                return Err(HashError::TooCostly);
            }
            Stored::Argon2id(text.to_owned())
        } else if ["$2a$", "$2b$", "$2y$"].iter().any(|version| text.starts_with(version)) {
            let parts: HashParts = text.parse().map_err(|_| HashError::Damaged)?;
            if parts.get_cost() > MAX_BCRYPT_COST {
                return Err(HashError::TooCostly);
            }
            Stored::Bcrypt(text.to_owned())
        } else if let Some(hex) = text.strip_prefix(NT) {
            Stored::Nt(NtHash::new(from_hex(hex).ok_or(HashError::Damaged)?))
        } else if let Some(hex) = text.strip_prefix(API_KEY) {
            Stored::ApiKey(from_hex(hex).ok_or(HashError::Damaged)?)
        } else {
            return Err(HashError::Unknown);
        };
        Ok(Self(stored))
    }
}

impl StoredHash {
    /// The hash as text, for the file.
    pub fn expose(&self) -> String {
        match &self.0 {
            Stored::Argon2id(text) | Stored::Bcrypt(text) => text.clone(),
            Stored::Nt(hash) => format!("{NT}{}", hex(hash.expose())),
            Stored::ApiKey(hash) => format!("{API_KEY}{}", hex(hash)),
        }
    }
}

impl std::fmt::Debug for StoredHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StoredHash({:?})", self.kind())
    }
}

impl HashKind {
    /// What users with such a hash sign in with.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Argon2id => "password (Argon2id)",
            Self::Bcrypt => "password (bcrypt)",
            Self::Nt => "NTLM and password (NT hash)",
            Self::ApiKey => "API key",
        }
    }
}

/// A new API key: 256 random bits as text. Fails if the system has no randomness.
pub fn new_api_key() -> Result<Secret, Unspecified> {
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(random::<32>()?)))
}

/// The hash by which an API key is looked up.
pub fn hash_of_key(key: &[u8]) -> [u8; 32] {
    digest(&SHA256, key).as_ref().try_into().unwrap_or_default()
}

/// Random bytes from the system.
pub fn random<const N: usize>() -> Result<[u8; N], Unspecified> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes)?;
    Ok(bytes)
}

fn from_hex<const N: usize>(hex: &str) -> Option<[u8; N]> {
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let byte = |&[high, low]: &[u8; 2]| u8::try_from(digit(high)? * 16 + digit(low)?).ok();
    let bytes: Vec<u8> = pairs.iter().map(byte).collect::<Option<_>>()?;
    bytes.try_into().ok().filter(|_| rest.is_empty())
}

const NT: &str = "$3$$";
const API_KEY: &str = "$sha256$";

/// Bounds of what a check may take: memory and passes of Argon2id, and rounds of bcrypt as a power of two.
const MAX_ARGON2_KIB: u32 = 256 * 1024;
const MAX_ARGON2_PASSES: u32 = 16;
const MAX_BCRYPT_COST: u32 = 14;

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[test]
    fn a_hash_matches_its_password_only_and_survives_the_file() {
        let long = "é".repeat(100);
        for hash in [StoredHash::of_password(&secret(&long)).unwrap(), StoredHash::of_ntlm_password(&secret(&long))] {
            let read: StoredHash = hash.expose().parse().unwrap();
            assert_eq!(read.kind(), hash.kind());
            assert!(read.matches(&secret(&long)));
            assert!(!read.matches(&secret(&long[2..])) && !read.matches(&secret("")));
            assert!(!format!("{read:?}").contains(&hash.expose()));
        }
        let key = new_api_key().unwrap();
        let read: StoredHash = StoredHash::of_api_key(key.expose().as_bytes()).expose().parse().unwrap();
        assert_eq!(read.api_key(), Some(hash_of_key(key.expose().as_bytes())));
        assert!(!read.matches(&key) && key.expose().len() == 43);
    }

    #[test]
    fn the_hashes_of_other_programs_are_read() {
        // The forms of `htpasswd -B` and of FreeBSD's crypt(3).
        for (text, password) in [
            ("$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe", "password"),
            ("$3$$8846f7eaee8fb117ad06bdd830b7586c", "password"),
        ] {
            assert!(text.parse::<StoredHash>().unwrap().matches(&secret(password)), "{text}");
        }
    }

    #[test]
    fn what_is_no_hash_or_too_costly_is_rejected() {
        let costly = "$argon2id$v=19$m=1048576,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$";
        let output = "RdescudvJCsgt3ub+b4dWRWJTmaaJObGRdescudvJCs";
        for (text, error) in [
            ("", HashError::Unknown),
            ("password", HashError::Unknown),
            ("$1$abc$def", HashError::Unknown),
            ("$argon2i$v=19$m=16,t=2,p=1$c29tZXNhbHQ$xyz", HashError::Unknown),
            ("$argon2id$v=19$m=16", HashError::Damaged),
            ("$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA", HashError::Damaged),
            (&format!("{costly}{output}"), HashError::TooCostly),
            ("$2y$05$short", HashError::Damaged),
            ("$2y$31$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe", HashError::TooCostly),
            ("$3$$8846f7", HashError::Damaged),
            ("$3$$zz46f7eaee8fb117ad06bdd830b7586c", HashError::Damaged),
            ("$sha256$00", HashError::Damaged),
        ] {
            assert_eq!(text.parse::<StoredHash>().map(|_| ()), Err(error), "{text}");
        }
    }
}
