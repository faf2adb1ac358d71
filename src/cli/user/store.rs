//! Finds, reads and replaces the file of users.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use crate::cli::common::{Failure, load_without_secrets, private_file};
use crate::small_file::{self, MAX_FILE_BYTES};
use crate::users::{UsersFile, UsersFileError};

/// The path of the file: the given one, or the one that the configuration names.
pub fn path(config: &Path, given: Option<PathBuf>) -> Result<PathBuf, Failure> {
    if let Some(given) = given {
        return Ok(given);
    }
    load_without_secrets(config)?.users.ok_or_else(|| {
        Failure::Configuration(format!(
            "{} names no file of users. Add the line `users: users.txt` to it, or name a file with --file.",
            config.display()
        ))
    })
}

/// Reads the file.
pub fn read(path: &Path) -> Result<UsersFile, Failure> {
    UsersFile::read(path).map_err(|error| unusable(path, &error))
}

/// Reads the file. One that does not exist has no users yet.
pub fn read_or_new(path: &Path) -> Result<UsersFile, Failure> {
    match UsersFile::read(path) {
        Err(UsersFileError::Unreadable(error)) if error.kind() == io::ErrorKind::NotFound => Ok(UsersFile::default()),
        read => read.map_err(|error| unusable(path, &error)),
    }
}

fn unusable(path: &Path, error: &UsersFileError) -> Failure {
    let fix = match error {
        UsersFileError::Unreadable(error) if error.kind() == io::ErrorKind::NotFound => {
            " To create it, run `bcproxy user add`, or name another file with --file."
        }
        UsersFileError::Unreadable(_) | UsersFileError::NotText => "",
        UsersFileError::Line { .. } => " Correct or remove this line.",
    };
    Failure::Configuration(format!("{} {error}.{fix}", path.display()))
}

/// Replaces the file as a whole, or creates it. Returns a line that says who can read it, if that is new.
///
/// An existing file keeps its owner, group and mode; on Windows, a new file takes its place with access of its own.
pub fn replace(path: &Path, users: &UsersFile) -> Result<String, Failure> {
    let failed = |error: io::Error| {
        Failure::Failed(format!("Writing {} failed: {error}. The file is unchanged.", path.display()))
    };
    let text = Zeroizing::new(users.expose());
    if text.len() > MAX_FILE_BYTES {
        return Err(failed(io::Error::other("it would be larger than 1 MiB")));
    }
    // A link stays one.
    let target = if path.is_symlink() { path.canonicalize().map_err(failed)? } else { path.to_owned() };
    let existing = match target.metadata() {
        Ok(existing) => Some(existing),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed(error)),
    };
    let write = || -> io::Result<()> {
        let file = private_file::write_for_service(small_file::folder(&target), text.as_bytes())?;
        if let Some(existing) = &existing {
            keep_access(&file, existing)?;
        }
        file.as_file().sync_all()?;
        file.persist(&target)?;
        Ok(())
    };
    write().map_err(failed)?;
    let is_new_access = existing.is_none() || cfg!(windows);
    Ok(if is_new_access {
        format!("\nWrote {} ({}).", path.display(), private_file::readers(path))
    } else {
        String::new()
    })
}

#[cfg(unix)]
fn keep_access(file: &NamedTempFile, existing: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};

    let (file, new) = (file.as_file(), file.as_file().metadata()?);
    let (owner, group) = (existing.uid(), existing.gid());
    if (new.uid(), new.gid()) != (owner, group) {
        fchown(file, Some(owner), Some(group)).map_err(|error| {
            let text = format!(
                "it can't keep its owner {owner} and group {group} ({error}); run this as its owner or as root"
            );
            io::Error::new(error.kind(), text)
        })?;
    }
    file.set_permissions(existing.permissions())
}

/// Does nothing: the caller says who can read the file.
#[cfg(not(unix))]
fn keep_access(_file: &NamedTempFile, _existing: &Metadata) -> io::Result<()> {
    Ok(())
}
