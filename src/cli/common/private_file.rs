//! Files that hold a secret. Only their owner can read them; on Windows, the system and administrators can, too.

use std::io::{self, Write};
use std::path::Path;

use tempfile::NamedTempFile;

/// Writes a secret to a temporary file in `folder`. Dropping the file deletes it unless it was persisted.
pub fn write(folder: &Path, secret: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = NamedTempFile::with_prefix_in(".bcproxy-", folder)?;
    // While the file is still empty.
    system::restrict_access(file.path());
    file.write_all(secret)?;
    file.flush()?;
    Ok(file)
}

pub use system::readers;

#[cfg(not(windows))]
mod system {
    use std::path::Path;

    /// Does nothing: the file has mode 0600 when it is created.
    pub fn restrict_access(_file: &Path) {}

    /// Describes who can read a private file, and how to give the service's account access.
    pub fn readers(_file: &Path) -> String {
        "only you can read it; make the account that runs bcproxy its owner".to_owned()
    }
}

#[cfg(windows)]
mod system {
    use std::path::Path;

    use crate::cli::common::access::{Access, OWNER, Right};

    /// Removes the permissions inherited from the folder, which most often let every user of the machine read the file.
    ///
    /// A failure is only a warning: a FAT drive, for instance, has no permissions.
    pub fn restrict_access(file: &Path) {
        let access = Access::to_file(file).without_inherited().grant(OWNER, Right::Full).grant_administrators();
        if let Err(error) = access.apply() {
            anstream::eprintln!("warning: {error}. Everybody who can read this folder can read the secret file in it.");
        }
    }

    /// Describes who can read a private file, and how to give the service's account access.
    pub fn readers(file: &Path) -> String {
        format!(
            "only you, administrators and the system can read it; if bcproxy runs under another account: icacls \"{}\" /grant ACCOUNT:R",
            file.display()
        )
    }
}
