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
    is_taken_over: bool,
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
        Self { path: path.to_owned(), target, others: Others::Unchanged, grants: Vec::new(), is_taken_over: false }
    }

    /// Removes what the folder above gives to others.
    pub fn without_inherited(self) -> Self {
        Self { others: Others::Removed, ..self }
    }

    /// The right of an account, for people.
    pub fn right_of(&self, trustee: &str) -> &'static str {
        let right = self.grants.iter().find(|(granted, _)| granted == trustee).map(|(_, right)| *right);
        match right {
            Some(Right::Full) => "everything",
            Some(Right::Modify) => "read and write",
            Some(Right::ReadAndExecute | Right::Read) => "read",
            None => "nothing",
        }
    }

    /// Makes the administrators the owner of a folder and its contents, and lets the contents have the rights of the
    /// folder alone.
    ///
    /// The owner of a file can change its access. Every user may create a folder in `%ProgramData%`.
    pub fn taken_over(self) -> Self {
        Self { is_taken_over: true, ..self }
    }

    /// The file or folder.
    pub fn path(&self) -> &Path {
        &self.path
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

    /// The arguments of each call of `icacls`. Source: Microsoft, "icacls".
    pub fn commands(&self) -> Vec<Vec<OsString>> {
        let path = || self.path.clone().into_os_string();
        let (mut first, mut last) = (Vec::new(), Vec::new());
        if self.is_taken_over {
            first.push(vec![path(), "/setowner".into(), ADMINISTRATORS.into(), "/T".into()]);
            if self.has_contents() {
                last.push(vec![self.path.join("*").into_os_string(), "/reset".into(), "/T".into()]);
            }
        }
        first.push(self.rights());
        first.append(&mut last);
        first
    }

    fn rights(&self) -> Vec<OsString> {
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

    /// icacls fails for `*` in an empty folder.
    fn has_contents(&self) -> bool {
        self.path.read_dir().is_ok_and(|mut entries| entries.next().is_some())
    }

    /// Sets the access. Does nothing on systems other than Windows.
    pub fn apply(&self) -> Result<(), AccessError> {
        if !cfg!(windows) {
            return Ok(());
        }
        let system_root = env::var_os("SystemRoot").map_or(PathBuf::from(r"C:\Windows"), PathBuf::from);
        let icacls = system_root.join(r"System32\icacls.exe");
        for arguments in self.commands() {
            let mut command = Command::new(&icacls);
            command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let reason = match command.status() {
                Ok(status) if status.success() => continue,
                Ok(status) => status.to_string(),
                Err(error) => error.to_string(),
            };
            return Err(AccessError { path: self.path.clone(), reason });
        }
        Ok(())
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
#[cfg(windows)]
pub const OWNER: &str = "*S-1-3-4";
/// Windows itself.
const SYSTEM: &str = "*S-1-5-18";
/// The administrators of this machine.
pub const ADMINISTRATORS: &str = "*S-1-5-32-544";

#[cfg(test)]
mod tests {
    use super::*;

    fn words(access: &Access) -> Vec<String> {
        let words = |arguments: Vec<OsString>| arguments.join(" ".as_ref()).into_string().unwrap();
        access.commands().into_iter().map(words).collect()
    }

    #[test]
    fn the_arguments_of_icacls_name_the_path_and_every_right() {
        let folder = Access::to_folder(Path::new(r"C:\ProgramData\bcproxy")).without_inherited().grant_administrators();
        assert_eq!(
            words(&folder.grant("*S-1-5-80-1", Right::ReadAndExecute)),
            [
                r"C:\ProgramData\bcproxy /inheritance:r /grant:r *S-1-5-18:(OI)(CI)F *S-1-5-32-544:(OI)(CI)F *S-1-5-80-1:(OI)(CI)RX"
            ]
        );
        let file = Access::to_file(Path::new(r"D:\keys\a.pem")).grant(r"CONTOSO\bcproxy$", Right::Read);
        assert_eq!(words(&file), [r"D:\keys\a.pem /grant:r CONTOSO\bcproxy$:R"]);
    }

    #[test]
    fn a_folder_is_taken_over_before_its_contents_get_its_rights() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        let access = Access::to_folder(folder.path()).taken_over().grant("x", Right::Modify);
        let (owner, rights) = (format!("{path} /setowner *S-1-5-32-544 /T"), format!("{path} /grant:r x:(OI)(CI)M"));
        assert_eq!(words(&access), [owner.clone(), rights.clone()], "there is nothing in it");
        std::fs::write(folder.path().join("proxy.yaml"), "").unwrap();
        let contents = folder.path().join("*");
        assert_eq!(words(&access), [owner, rights, format!("{} /reset /T", contents.display())]);
    }
}
