//! Files that hold a secret. Only their owner can read them; on Windows, the system and administrators can, too.

use std::io::{self, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use super::Failure;
use crate::{config, small_file};

/// Writes a secret to a temporary file in `folder`. Dropping the file deletes it unless it was persisted.
pub fn write(folder: &Path, secret: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = NamedTempFile::with_prefix_in(".bcproxy-", folder)?;
    // While the file is still empty.
    system::restrict_access(file.path());
    file.write_all(secret)?;
    file.flush()?;
    Ok(file)
}

/// Creates a folder for private files unless it exists. On Windows, lets `readers` read the files in it.
///
/// Only the owner can use a new folder; on Windows, the system and administrators can, too. `readers`: accounts as
/// icacls takes them.
pub fn create_folder(folder: &Path, readers: &[String]) -> io::Result<()> {
    let is_new = !folder.is_dir();
    if is_new {
        system::create_folder(folder)?;
    }
    system::set_access(folder, is_new, readers);
    Ok(())
}

/// Creates the folder of the configuration file if `file` is the default one, which nobody has chosen.
///
/// On Windows, every user could read a folder with the permissions of the one above.
pub fn create_default_folder(file: &Path) -> Result<(), Failure> {
    if file != config::default_file() {
        return Ok(());
    }
    create_folder(small_file::folder(file), &[]).map_err(|error| {
        Failure::Failed(format!("Nothing was written: creating the folder of {} failed: {error}.", file.display()))
    })
}

pub use system::readers;

#[cfg(unix)]
mod system {
    use std::fs::DirBuilder;
    use std::io;
    use std::os::unix::fs::DirBuilderExt;
    use std::path::Path;

    pub fn create_folder(folder: &Path) -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(folder)
    }

    /// Does nothing: the folder has mode 0700 when it is created.
    pub fn set_access(_folder: &Path, _is_new: bool, _readers: &[String]) {}

    /// Does nothing: the file has mode 0600 when it is created.
    pub fn restrict_access(_file: &Path) {}

    /// Describes who can read a private file, and how to give the service's account access.
    pub fn readers(_file: &Path) -> String {
        "only you can read it; make the account that runs bcproxy its owner".to_owned()
    }
}

#[cfg(windows)]
mod system {
    use std::fs;
    use std::io;
    use std::path::Path;

    use crate::cli::common::access::{Access, OWNER, Right};

    pub fn create_folder(folder: &Path) -> io::Result<()> {
        fs::create_dir(folder)
    }

    /// Lets the readers read. A new folder loses the permissions inherited from the one above.
    pub fn set_access(folder: &Path, is_new: bool, readers: &[String]) {
        let access = Access::to_folder(folder);
        let access = match is_new {
            true => access.without_inherited().grant(OWNER, Right::Full).grant_administrators(),
            false if readers.is_empty() => return,
            false => access,
        };
        let access = readers.iter().fold(access, |access, reader| access.grant(reader, Right::ReadAndExecute));
        if let Err(error) = access.apply() {
            anstream::eprintln!("warning: {error}. Everybody who can read the folder above can read the files in it.");
        }
    }

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
