//! The users of `client_auth`: their file, and the check of what a client sends as their password or API key.
//!
//! | file | job |
//! |---|---|
//! | `stored_hash` | the kinds of hashes |
//! | `file` | the file, read and written |
//! | `directory` | the users in service: who sent this password, this key or this proof |
//!
//! A password may take as long as a hundred requests to check. So the directory remembers which one was right, as a
//! hash with a key that exists in memory only. It never holds a password.

mod directory;
mod file;
mod stored_hash;

pub use directory::{Directory, PasswordCheck, Recalled, User};
pub use file::{EntryError, UserEntry, UserName, UsersFile, UsersFileError};
pub use stored_hash::{HashError, HashKind, StoredHash, new_api_key, random};
