//! The four files, and how they are written.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::cli::common::Failure;
use crate::small_file;

/// The paths of the four files.
pub struct Files {
    pub authority: PathBuf,
    pub authority_key: PathBuf,
    pub server: PathBuf,
    pub server_key: PathBuf,
}

impl Files {
    /// The files in this folder.
    pub fn in_folder(folder: &Path) -> Self {
        // Windows and Debian accept an authority's certificate only with the extension .crt.
        Self {
            authority: folder.join("bcproxy-ca.crt"),
            authority_key: folder.join("bcproxy-ca-key.pem"),
            server: folder.join("server.pem"),
            server_key: folder.join("server-key.pem"),
        }
    }
}

/// Writes a file atomically: a failure leaves no partial file behind. `create` decides who can read it.
pub fn write(
    path: &Path,
    text: &str,
    create: fn(&Path, &[u8]) -> io::Result<NamedTempFile>,
    replace: bool,
) -> Result<(), Failure> {
    let write = || -> io::Result<()> {
        let file = create(small_file::folder(path), text.as_bytes())?;
        file.as_file().sync_all()?;
        if replace {
            file.persist(path)?
        } else {
            file.persist_noclobber(path)?
        };
        Ok(())
    };
    write().map_err(|error| Failure::Failed(format!("Writing {} failed: {error}.", path.display())))
}

/// A file that everybody can read; on Windows, everybody who can read its folder.
pub fn public_file(folder: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    Ok(file)
}
