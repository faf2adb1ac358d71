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
    use std::env;
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};

    /// Removes the permissions inherited from the folder, which most often let every user of the machine read the file.
    ///
    /// A failure is only a warning: a FAT drive, for instance, has no permissions.
    pub fn restrict_access(file: &Path) {
        let system_root = env::var_os("SystemRoot").map_or(PathBuf::from(r"C:\Windows"), PathBuf::from);
        let status = Command::new(system_root.join(r"System32\icacls.exe"))
            .arg(file)
            .args(["/inheritance:r", "/grant:r"])
            .args([OWNER, SYSTEM, ADMINISTRATORS].map(|sid| format!("*{sid}:F")))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        let reason = match status {
            Ok(status) if status.success() => return,
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        anstream::eprintln!(
            "warning: icacls failed to restrict access to the secret file in {} ({reason}). Everybody who can read this folder can read it.",
            file.parent().unwrap_or(file).display()
        );
    }

    /// Describes who can read a private file, and how to give the service's account access.
    pub fn readers(file: &Path) -> String {
        format!(
            "only you, administrators and the system can read it; if bcproxy runs under another account: icacls \"{}\" /grant ACCOUNT:R",
            file.display()
        )
    }

    // Windows translates the names of accounts, but not their SIDs. Source: Microsoft, "Well-known SIDs".
    const OWNER: &str = "S-1-3-4";
    const SYSTEM: &str = "S-1-5-18";
    const ADMINISTRATORS: &str = "S-1-5-32-544";
}
