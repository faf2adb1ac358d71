//! Files that hold a secret. Only their owner can read them; on Windows, the system and administrators can, too.
//!
//! In a folder that passes its group to new files (setgid), this group can read the files for the service.
//! `/etc/bcproxy` of the packages is such a folder.

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

/// The same for a secret that the service reads, which may run under another account.
pub fn write_for_service(folder: &Path, secret: &[u8]) -> io::Result<NamedTempFile> {
    let file = write(folder, secret)?;
    system::share_with_service(&file, folder)?;
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
    use std::fs::{DirBuilder, Permissions};
    use std::io;
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    use std::path::Path;

    use tempfile::NamedTempFile;

    use crate::small_file::{self, passes_group};

    pub fn create_folder(folder: &Path) -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(folder)
    }

    /// Does nothing: the folder has mode 0700 when it is created.
    pub fn set_access(_folder: &Path, _is_new: bool, _readers: &[String]) {}

    /// Does nothing: the file has mode 0600 when it is created.
    pub fn restrict_access(_file: &Path) {}

    /// Lets the group of the folder read the file, if new files get that group.
    pub fn share_with_service(file: &NamedTempFile, folder: &Path) -> io::Result<()> {
        match passes_group(folder) {
            true => file.as_file().set_permissions(Permissions::from_mode(0o640)),
            false => Ok(()),
        }
    }

    /// Describes who can read a private file of the service, and how to give the service's account access.
    pub fn readers(file: &Path) -> String {
        let text = match passes_group(small_file::folder(file)) {
            true => "only its owner and the group of its folder can read it",
            false => "only you can read it; make the account that runs bcproxy its owner",
        };
        text.to_owned()
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use crate::cli::common::private_file;

        #[test]
        fn the_group_of_a_setgid_folder_can_read_what_is_for_the_service() {
            let folder = tempfile::tempdir().unwrap();
            let folder = folder.path();
            let mode = |file: NamedTempFile| file.as_file().metadata().unwrap().permissions().mode() & 0o7777;
            for (folder_mode, for_service, shown) in [(0o700, 0o600, "only you"), (0o2750, 0o640, "the group")] {
                std::fs::set_permissions(folder, Permissions::from_mode(folder_mode)).unwrap();
                assert_eq!(mode(private_file::write_for_service(folder, b"s3cret").unwrap()), for_service);
                assert_eq!(mode(private_file::write(folder, b"s3cret").unwrap()), 0o600);
                assert!(readers(&folder.join("client-secret.txt")).contains(shown));
            }
        }
    }
}

#[cfg(windows)]
mod system {
    use std::fs;
    use std::io;
    use std::path::Path;

    use tempfile::NamedTempFile;

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

    /// Does nothing: the service runs as the system, or its account is granted access.
    pub fn share_with_service(_file: &NamedTempFile, _folder: &Path) -> io::Result<()> {
        Ok(())
    }

    /// Describes who can read a private file, and how to give the service's account access.
    pub fn readers(file: &Path) -> String {
        format!(
            "only you, administrators and the system can read it; if bcproxy runs under another account: icacls \"{}\" /grant ACCOUNT:R",
            file.display()
        )
    }
}
