//! Access to files and folders on Windows, set with `icacls`. On other systems, modes do the same.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Who gets access to a file or folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    path: PathBuf,
    target: Target,
    others: Others,
    grants: Vec<(String, Right)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    File,
    /// Files and folders in it inherit the rights.
    Folder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Others {
    /// Rights that the folder above gives are removed.
    Removed,
    Unchanged,
}

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Everything, and change the access.
    Full,
    /// Read, write and delete.
    Modify,
    /// Read, and list a folder.
    ReadAndExecute,
    /// Read.
    Read,
}

/// Why access can't be set.
#[derive(Debug, thiserror::Error)]
#[error("icacls failed to set the access to {} ({reason})", path.display())]
pub struct AccessError {
    path: PathBuf,
    reason: String,
}

impl Access {
    /// Access to a file.
    pub fn to_file(path: &Path) -> Self {
        Self::new(path, Target::File)
    }

    /// Access to a folder and everything in it.
    pub fn to_folder(path: &Path) -> Self {
        Self::new(path, Target::Folder)
    }

    fn new(path: &Path, target: Target) -> Self {
        Self { path: path.to_owned(), target, others: Others::Unchanged, grants: Vec::new() }
    }

    /// Removes what the folder above gives to others.
    pub fn without_inherited(self) -> Self {
        Self { others: Others::Removed, ..self }
    }

    /// Gives an account a right, in place of those that it was given before. `trustee`: a name, or a SID after `*`.
    pub fn grant(mut self, trustee: impl Into<String>, right: Right) -> Self {
        self.grants.push((trustee.into(), right));
        self
    }

    /// Gives the system and administrators everything.
    pub fn grant_administrators(self) -> Self {
        self.grant(SYSTEM, Right::Full).grant(ADMINISTRATORS, Right::Full)
    }

    /// The arguments of `icacls`. Source: Microsoft, "icacls".
    pub fn arguments(&self) -> Vec<OsString> {
        let mut arguments = vec![self.path.clone().into_os_string()];
        if self.others == Others::Removed {
            arguments.push("/inheritance:r".into());
        }
        let inherited = match self.target {
            Target::File => "",
            Target::Folder => "(OI)(CI)",
        };
        if !self.grants.is_empty() {
            arguments.push("/grant:r".into());
        }
        let grants = self.grants.iter().map(|(trustee, right)| format!("{trustee}:{inherited}{}", right.letters()));
        arguments.extend(grants.map(OsString::from));
        arguments
    }

    /// Sets the access. Does nothing on systems other than Windows.
    pub fn apply(&self) -> Result<(), AccessError> {
        if !cfg!(windows) {
            return Ok(());
        }
        let system_root = env::var_os("SystemRoot").map_or(PathBuf::from(r"C:\Windows"), PathBuf::from);
        let status = Command::new(system_root.join(r"System32\icacls.exe"))
            .args(self.arguments())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        let reason = match status {
            Ok(status) if status.success() => return Ok(()),
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        Err(AccessError { path: self.path.clone(), reason })
    }
}

impl Right {
    fn letters(self) -> &'static str {
        match self {
            Self::Full => "F",
            Self::Modify => "M",
            Self::ReadAndExecute => "RX",
            Self::Read => "R",
        }
    }
}

// Windows translates the names of accounts, but not their SIDs. Source: Microsoft, "Well-known SIDs".

/// Whoever owns the file.
pub const OWNER: &str = "*S-1-3-4";
/// Windows itself.
const SYSTEM: &str = "*S-1-5-18";
/// The administrators of this machine.
pub const ADMINISTRATORS: &str = "*S-1-5-32-544";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_of_icacls_name_the_path_and_every_right() {
        let folder = Access::to_folder(Path::new(r"C:\ProgramData\bcproxy")).without_inherited().grant_administrators();
        let folder = folder.grant("*S-1-5-80-1", Right::ReadAndExecute).arguments();
        assert_eq!(
            folder,
            [
                r"C:\ProgramData\bcproxy",
                "/inheritance:r",
                "/grant:r",
                "*S-1-5-18:(OI)(CI)F",
                "*S-1-5-32-544:(OI)(CI)F",
                "*S-1-5-80-1:(OI)(CI)RX"
            ]
        );
        let file = Access::to_file(Path::new(r"D:\keys\a b.pem")).grant(r"CONTOSO\bcproxy$", Right::Read).arguments();
        assert_eq!(file, [r"D:\keys\a b.pem", "/grant:r", r"CONTOSO\bcproxy$:R"]);
        assert_eq!(Access::to_file(Path::new("x")).arguments(), ["x"]);
    }
}
