//! The folder of the configuration file, in which a service also keeps its secrets and its log.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::config::{self, LogFile};
use crate::small_file;

/// The folder of a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFolder {
    path: PathBuf,
    logs: PathBuf,
    is_own: bool,
}

impl DataFolder {
    /// The folder of this file, which need not exist.
    pub fn of(file: &Path) -> Self {
        Self::new(file, config::common_folder().as_deref())
    }

    /// The same, with the folder for data of all users.
    pub(super) fn new(file: &Path, common: Option<&Path>) -> Self {
        let path = small_file::folder(file).to_owned();
        let is_same = |one: &Path, other: &Path| one.as_os_str().eq_ignore_ascii_case(other);
        let is_common = path.parent().zip(common).is_some_and(|(parent, common)| is_same(parent, common));
        let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase());
        let is_own = is_common && name.is_some_and(|name| name.starts_with("bcproxy"));
        Self { path, logs: small_file::folder(&LogFile::of_service(file)).to_owned(), is_own }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is for bcproxy alone: `%ProgramData%\bcproxy`, or one there whose name begins with `bcproxy`.
    pub fn is_own(&self) -> bool {
        self.is_own
    }

    /// The folder of the log.
    pub fn logs(&self) -> &Path {
        &self.logs
    }

    /// Creates the folder and that of the log.
    pub fn create(&self) -> io::Result<()> {
        fs::create_dir_all(&self.logs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_for_bcproxy_alone_is_one_in_program_data() {
        let program_data = tempfile::tempdir().unwrap();
        let is_own = |folder: &str| {
            let file = program_data.path().join(folder).join("proxy.yaml");
            DataFolder::new(&file, Some(program_data.path())).is_own()
        };
        assert!(is_own("bcproxy") && is_own("Bcproxy-test"));
        assert!(!is_own("other") && !is_own("bcproxy/more") && !is_own(""));
        assert!(!DataFolder::new(Path::new("proxy.yaml"), None).is_own());
    }
}
