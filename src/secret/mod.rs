//! Secrets, and the sources they are read from.
//!
//! | file | job |
//! |---|---|
//! | `value` | the value of a secret: zeroed on drop, never printed |
//! | `source` | the kinds of sources, and reading one |
//! | `content` | the bytes of a secret, within bounds |
//! | `command` | the output of a program |
//! | `name` | the name of a secret in the store |
//! | `store` | secrets that Windows encrypts for this machine, a file each |
//! | `dpapi` | the encryption by Windows, and its absence elsewhere |

mod command;
mod content;
mod dpapi;
mod name;
mod source;
mod store;
mod value;

pub use command::SecretCommand;
pub use content::read_file;
pub use dpapi::ThisMachine;
pub use name::{SecretName, SecretNameError};
pub use source::{SecretError, SecretSource};
pub use store::{MachineEncryption, SecretStore, StoreError, StoredSecret, WindowsSecret};
pub use value::Secret;
