//! The configuration file that commands use without `--config`.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// Returns the configuration file for commands without `--config`.
///
/// On Windows, this is `%ProgramData%\bcproxy\proxy.yaml`, as for the service. Only if that is missing, a `proxy.yaml`
/// in the current folder takes precedence. On Linux, it is the file of the packages, `/etc/bcproxy/proxy.yaml`, if that
/// exists. Otherwise it is `proxy.yaml` in the current folder.
pub fn default_file() -> PathBuf {
    match common_folder() {
        Some(folder) => common_or_own(folder.join("bcproxy").join(FILE), Path::exists),
        None => packaged_or_own(packaged_file(), |file| file.metadata().map(drop)),
    }
}

/// The folder in which Windows keeps data for all users, `%ProgramData%`; `None` on other systems.
pub fn common_folder() -> Option<PathBuf> {
    cfg!(windows).then(|| folder_or_usual(std::env::var_os("ProgramData")))
}

/// The configuration file of the service that the packages install; `None` on systems without packages.
pub fn packaged_file() -> Option<&'static Path> {
    cfg!(target_os = "linux").then_some(Path::new(PACKAGED_FILE))
}

fn folder_or_usual(variable: Option<OsString>) -> PathBuf {
    variable.filter(|folder| !folder.is_empty()).map_or(PathBuf::from(COMMON_FOLDER), PathBuf::from)
}

fn common_or_own(common: PathBuf, exists: impl Fn(&Path) -> bool) -> PathBuf {
    let own = PathBuf::from(FILE);
    if !exists(&common) && exists(&own) { own } else { common }
}

fn packaged_or_own(packaged: Option<&Path>, look_at: impl Fn(&Path) -> io::Result<()>) -> PathBuf {
    // Whoever may not look at it is told so by the command, which can't read it either.
    let is_there = |file: &&Path| match look_at(file) {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
    };
    packaged.filter(is_there).unwrap_or(Path::new(FILE)).to_owned()
}

const FILE: &str = "proxy.yaml";

/// The usual value of the variable `ProgramData`.
const COMMON_FOLDER: &str = r"C:\ProgramData";

/// What `ExecStart=` of packaging/systemd/bcproxy.service names.
const PACKAGED_FILE: &str = "/etc/bcproxy/proxy.yaml";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_the_service_comes_first_on_windows() {
        let (own, common) = (Path::new(FILE), Path::new("data").join("bcproxy").join(FILE));
        let on_windows = |existing: &[&Path]| common_or_own(common.clone(), |path| existing.contains(&path));
        assert_eq!(on_windows(&[own, &common]), common);
        assert_eq!(on_windows(&[&common]), common);
        assert_eq!(on_windows(&[own]), own);
        assert_eq!(on_windows(&[]), common);
    }

    #[test]
    fn a_missing_variable_has_its_usual_value() {
        let usual = Path::new(COMMON_FOLDER);
        assert_eq!(folder_or_usual(None), usual);
        assert_eq!(folder_or_usual(Some(OsString::new())), usual);
    }

    #[test]
    fn the_packaged_file_comes_first_on_linux_even_for_those_who_may_not_look_at_it() {
        let packaged = Path::new(PACKAGED_FILE);
        let on_linux = |outcome: Result<(), io::ErrorKind>| {
            packaged_or_own(Some(packaged), |file| {
                assert_eq!(file, packaged);
                outcome.map_err(io::Error::from)
            })
        };
        assert_eq!(on_linux(Ok(())), packaged);
        assert_eq!(on_linux(Err(io::ErrorKind::PermissionDenied)), packaged);
        assert_eq!(on_linux(Err(io::ErrorKind::NotFound)), Path::new(FILE));
        assert_eq!(packaged_or_own(None, |_| Ok(())), Path::new(FILE));
        let unit = include_str!("../../packaging/systemd/bcproxy.service");
        assert!(unit.contains(&format!("--config {PACKAGED_FILE}\n")));
    }
}
