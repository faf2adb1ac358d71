//! The users in service.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use lru::LruCache;
use ring::error::Unspecified;
use ring::hmac;
use ring::rand::SystemRandom;
use zeroize::Zeroizing;

use super::file::{UserEntry, UsersFile, key_of};
use super::stored_hash::{StoredHash, hash_of_key};
use crate::ntlm::Authenticate;
use crate::secret::Secret;

/// The users of one version of the file. What it remembers ends with it.
pub struct Directory {
    users: HashMap<String, Arc<User>>,
    by_key: HashMap<[u8; 32], Arc<User>>,
    /// The key of the tags, which exists nowhere else.
    key: hmac::Key,
    /// Tags of what was wrong: programs repeat a wrong password for days.
    wrong: Mutex<LruCache<Tag, ()>>,
    /// What is checked for names that no user has, so that it takes as long: always the same one for a name.
    decoys: Vec<StoredHash>,
}

/// A keyed hash of a user name and a password.
type Tag = [u8; 32];

/// A user in service.
pub struct User {
    /// The name as in the file.
    pub name: String,
    hash: StoredHash,
    /// The tag of the password that was checked and right.
    right: OnceLock<Tag>,
}

/// What is known of a user name and a password without hashing.
#[derive(Debug)]
pub enum Recalled {
    /// The password was checked before, and right.
    Right(Arc<User>),
    /// The password was checked before, and wrong.
    Wrong,
    /// The password has to be checked.
    Unknown(PasswordCheck),
}

/// A check that takes tens of milliseconds, and with Argon2id tens of megabytes.
pub struct PasswordCheck {
    directory: Arc<Directory>,
    user: Option<Arc<User>>,
    password: Secret,
    tag: Tag,
    /// Chooses what is checked if no user has the name.
    decoy: Tag,
}

impl Directory {
    /// Takes the users of a file. Fails if the system has no randomness.
    pub fn new(file: &UsersFile) -> Result<Self, Unspecified> {
        let user = |entry: &UserEntry| {
            let user = User { name: entry.name.as_str().to_owned(), hash: entry.hash.clone(), right: OnceLock::new() };
            (entry.name.key(), Arc::new(user))
        };
        let users: HashMap<_, _> = file.entries().map(user).collect();
        let by_key = users.values().filter_map(|user| Some((user.hash.api_key()?, user.clone()))).collect();
        let is_slow = |entry: &&UserEntry| entry.hash.api_key().is_none() && entry.hash.nt_hash().is_none();
        Ok(Self {
            decoys: file.entries().filter(is_slow).map(|entry| entry.hash.clone()).collect(),
            users,
            by_key,
            key: hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())?,
            wrong: Mutex::new(LruCache::new(MAX_WRONG)),
        })
    }

    /// Whether it is made of the same users.
    pub fn is_of(&self, file: &UsersFile) -> bool {
        let is_known = |entry: &UserEntry| {
            let known = self.users.get(&entry.name.key());
            known.is_some_and(|user| user.name == entry.name.as_str() && user.hash.expose() == entry.hash.expose())
        };
        file.entries().count() == self.users.len() && file.entries().all(is_known)
    }

    /// What is known of this user name and password.
    pub fn recall(self: &Arc<Self>, name: &str, password: &Secret) -> Recalled {
        let user = self.find(name);
        // However a client spells the name, the password is remembered once.
        let tag = self.tag(user.map_or(name, |user| &user.name), password);
        if let Some(user) = user
            && let Some(right) = user.right.get()
            // As secret as the key: how many of its bytes agree says nothing about the password.
            && *right == tag
        {
            return Recalled::Right(user.clone());
        }
        if self.wrong.lock().unwrap_or_else(PoisonError::into_inner).get(&tag).is_some() {
            return Recalled::Wrong;
        }
        let (directory, user, password) = (self.clone(), user.cloned(), password.clone());
        let decoy = self.tag(&key_of(name), &Secret::new(String::new()));
        Recalled::Unknown(PasswordCheck { directory, user, password, tag, decoy })
    }

    /// The holder of an API key.
    pub fn holder(&self, key: &[u8]) -> Option<&Arc<User>> {
        self.by_key.get(&hash_of_key(key))
    }

    /// The user who sent this proof in response to this challenge.
    pub fn prover(&self, message: &Authenticate, challenge: [u8; 8]) -> Option<&Arc<User>> {
        let user = self.find(&message.user).or_else(|| self.find(&format!("{}\\{}", message.domain, message.user)))?;
        user.hash.nt_hash().is_some_and(|hash| hash.is_proven_by(message, challenge)).then_some(user)
    }

    /// The same user in this version of the file, if name and hash are unchanged.
    pub fn same(&self, user: &Arc<User>) -> Option<&Arc<User>> {
        let known = self.users.get(&key_of(&user.name))?;
        (Arc::ptr_eq(known, user) || known.hash.expose() == user.hash.expose()).then_some(known)
    }

    /// A user by the name that a client sends, with or without a domain.
    fn find(&self, name: &str) -> Option<&Arc<User>> {
        let name = key_of(name);
        let without_domain = || match (name.split_once('\\'), name.rsplit_once('@')) {
            (Some((_, user)), _) | (None, Some((user, _))) => self.users.get(user),
            (None, None) => None,
        };
        self.users.get(&name).or_else(without_domain)
    }

    /// A hash to check for a name that no user has.
    fn decoy(&self, tag_of_name: Tag) -> Option<&StoredHash> {
        let [first, second, ..] = tag_of_name;
        self.decoys.get(usize::from(u16::from_be_bytes([first, second])).checked_rem(self.decoys.len())?)
    }

    fn tag(&self, name: &str, password: &Secret) -> Tag {
        let password = password.expose().as_bytes();
        let mut text = Zeroizing::new(Vec::with_capacity(name.len() + 1 + password.len()));
        text.extend_from_slice(name.as_bytes());
        text.push(0);
        text.extend_from_slice(password);
        hmac::sign(&self.key, &text).as_ref().try_into().unwrap_or_default()
    }
}

impl PasswordCheck {
    /// Checks the password, and remembers the result. Takes as long for a name that no user has.
    pub fn run(self) -> Option<Arc<User>> {
        let Self { directory, user, password, tag, decoy } = self;
        if let Some(user) = &user
            && user.hash.matches(&password)
        {
            let _ = user.right.set(tag);
            return Some(user.clone());
        }
        let was_slow = user.is_some_and(|user| user.hash.nt_hash().is_none() && user.hash.api_key().is_none());
        if !was_slow && let Some(decoy) = directory.decoy(decoy) {
            decoy.matches(&password);
        }
        directory.wrong.lock().unwrap_or_else(PoisonError::into_inner).put(tag, ());
        None
    }
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Directory").field("users", &self.users.len()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("User").field(&self.name).finish()
    }
}

impl std::fmt::Debug for PasswordCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PasswordCheck").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Wrong passwords that are remembered.
const MAX_WRONG: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    fn directory(users: &[(&str, StoredHash)]) -> Arc<Directory> {
        let mut file = UsersFile::default();
        for (name, hash) in users {
            file.set(UserEntry { name: name.parse().unwrap(), hash: hash.clone() });
        }
        Arc::new(Directory::new(&file).unwrap())
    }

    fn check(directory: &Arc<Directory>, name: &str, password: &str) -> Option<String> {
        match directory.recall(name, &secret(password)) {
            Recalled::Unknown(check) => check.run().map(|user| user.name.clone()),
            Recalled::Right(user) => Some(user.name.clone()),
            Recalled::Wrong => None,
        }
    }

    #[test]
    fn a_checked_password_is_remembered_right_or_wrong() {
        let directory = directory(&[("Till", StoredHash::of_password(&secret("x")).unwrap())]);
        assert_eq!(check(&directory, "till", "x").as_deref(), Some("Till"));
        for name in ["till", "TILL", "CONTOSO\\till", "till@contoso.com"] {
            assert!(matches!(directory.recall(name, &secret("x")), Recalled::Right(_)), "{name}");
        }
        for (name, password) in [("till", "y"), ("other", "x"), ("", ""), ("till", "")] {
            assert_eq!(check(&directory, name, password), None);
            assert!(matches!(directory.recall(name, &secret(password)), Recalled::Wrong));
        }
        // What is remembered of one name and password holds for no other split of the same text.
        assert!(matches!(directory.recall("til", &secret("lx")), Recalled::Unknown(_)));
    }

    #[test]
    fn a_name_may_come_with_a_domain() {
        let nt = || StoredHash::of_ntlm_password(&secret("x"));
        let directory = directory(&[("anna", nt()), ("CONTOSO\\bert", nt()), ("carl@contoso.com", nt())]);
        for (name, user) in [
            ("ANNA", Some("anna")),
            ("CONTOSO\\Anna", Some("anna")),
            ("anna@contoso.com", Some("anna")),
            ("contoso\\BERT", Some("CONTOSO\\bert")),
            ("OTHER\\bert", None),
            ("bert", None),
            ("Carl@Contoso.com", Some("carl@contoso.com")),
            ("carl", None),
        ] {
            assert_eq!(check(&directory, name, "x").as_deref(), user, "{name}");
        }
    }

    #[test]
    fn an_api_key_belongs_to_its_holder_and_is_no_password() {
        let directory = directory(&[("scanner", StoredHash::of_api_key(b"0123456789abcdef"))]);
        assert_eq!(directory.holder(b"0123456789abcdef").unwrap().name, "scanner");
        assert!(directory.holder(b"0123456789abcdeF").is_none() && directory.holder(b"").is_none());
        assert_eq!(check(&directory, "scanner", "0123456789abcdef"), None);
    }

    #[test]
    fn a_user_stays_the_same_while_the_hash_does() {
        let hash = |password: &str| StoredHash::of_ntlm_password(&secret(password));
        let before = directory(&[("anna", hash("x")), ("bert", hash("x")), ("carl", hash("x"))]);
        let after = directory(&[("Anna", hash("x")), ("bert", hash("y"))]);
        let same = |name: &str| after.same(before.find(name).unwrap()).map(|user| user.name.as_str());
        assert_eq!((same("anna"), same("bert"), same("carl")), (Some("Anna"), None, None));
    }
}
