//! Files that hold a secret: nobody but their owner may read them; on Windows the system and administrators, too.

use std::io::{self, Write};
use std::path::Path;

use tempfile::NamedTempFile;

/// A file in this folder that holds a secret, gone when dropped unless it is kept.
pub fn write(folder: &Path, secret: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = NamedTempFile::with_prefix_in(".bcproxy-", folder)?;
    // Before anything is in it.
    system::close_to_others(file.path());
    file.write_all(secret)?;
    file.flush()?;
    Ok(file)
}

pub use system::who_may_read;

#[cfg(not(windows))]
mod system {
    use std::path::Path;

    /// Its mode is 0600 from the beginning.
    pub fn close_to_others(_file: &Path) {}

    /// Who can read a private file, and what to do where that is not enough.
    pub fn who_may_read(_file: &Path) -> String {
        "only you can read it: let the account bcproxy runs under own it".to_owned()
    }
}

#[cfg(windows)]
mod system {
    use std::env;
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};

    /// Most folders let every user of the machine read what is put into them.
    ///
    /// Where that can't be changed (a memory stick in FAT knows no rights), the file is still what was asked for.
    pub fn close_to_others(file: &Path) {
        let system_root = env::var_os("SystemRoot").map_or(PathBuf::from(r"C:\Windows"), PathBuf::from);
        let closed = Command::new(system_root.join(r"System32\icacls.exe"))
            .arg(file)
            .args(["/inheritance:r", "/grant:r"])
            .args([OWNER, SYSTEM, ADMINISTRATORS].map(|who| format!("*{who}:F")))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        let why = match closed {
            Ok(status) if status.success() => return,
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        eprintln!(
            "warning: whoever may read files in {} may read the secret that is written there now: icacls could not change that ({why})",
            file.parent().unwrap_or(file).display()
        );
    }

    /// Who can read a private file, and what to do where that is not enough.
    pub fn who_may_read(file: &Path) -> String {
        format!(
            "only you, administrators and the system can read it; another account that bcproxy runs under needs: icacls \"{}\" /grant \
             ACCOUNT:R",
            file.display()
        )
    }

    // "Well-known SIDs" in Microsoft's documentation: their names are translated, these are not.
    const OWNER: &str = "S-1-3-4";
    const SYSTEM: &str = "S-1-5-18";
    const ADMINISTRATORS: &str = "S-1-5-32-544";
}
