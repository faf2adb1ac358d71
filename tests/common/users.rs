//! Files of users, and what clients send of them.
#![allow(dead_code, reason = "no test program uses all of it")]

use std::path::Path;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bcproxy::secret::Secret;
use bcproxy::users::{StoredHash, UserEntry, UsersFile};

/// The password of all users, and the API key of all holders of one.
pub const PASSWORD: &str = "web-service-key:4711-ü";
pub const KEY: &str = "0123456789abcdef0123456789abcdef";

/// `users.txt` with the user `anna`, the user of NTLM `nora` and the holder of a key `scanner`.
pub fn write_users(folder: &Path) {
    static HASH: LazyLock<StoredHash> = LazyLock::new(|| StoredHash::of_password(&secret(PASSWORD)).unwrap());
    let ntlm = StoredHash::of_ntlm_password(&secret(PASSWORD));
    let key = StoredHash::of_api_key(KEY.as_bytes());
    write(folder, &[("anna", &HASH), ("bert", &HASH), ("nora", &ntlm), ("scanner", &key)]);
}

/// `users.txt` with these users.
pub fn write(folder: &Path, users: &[(&str, &StoredHash)]) {
    let mut file = UsersFile::default();
    for (name, hash) in users {
        file.set(UserEntry { name: name.parse().unwrap(), hash: (*hash).clone() });
    }
    std::fs::write(folder.join("users.txt"), file.expose()).unwrap();
}

pub fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

/// The value of `Authorization`.
pub fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}
