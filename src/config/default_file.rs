//! The configuration file that commands use without `--config`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Returns the configuration file for commands without `--config`.
///
/// On Windows, this is `%ProgramData%\bcproxy\proxy.yaml`, as for the service. Only if that is missing, a `proxy.yaml`
/// in the current folder takes precedence. Elsewhere it is `proxy.yaml` in the current folder.
pub fn default_file() -> PathBuf {
    choose(common_folder(), Path::exists)
}

/// The folder in which Windows keeps data for all users, `%ProgramData%`; `None` on other systems.
pub fn common_folder() -> Option<PathBuf> {
    cfg!(windows).then(|| folder_or_usual(std::env::var_os("ProgramData")))
}

fn folder_or_usual(variable: Option<OsString>) -> PathBuf {
    variable.filter(|folder| !folder.is_empty()).map_or(PathBuf::from(COMMON_FOLDER), PathBuf::from)
}

fn choose(common: Option<PathBuf>, exists: impl Fn(&Path) -> bool) -> PathBuf {
    let own = PathBuf::from(FILE);
    let Some(common) = common else { return own };
    let common = common.join("bcproxy").join(FILE);
    if !exists(&common) && exists(&own) { own } else { common }
}

const FILE: &str = "proxy.yaml";

/// The usual value of the variable `ProgramData`.
const COMMON_FOLDER: &str = r"C:\ProgramData";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_the_service_comes_first_on_windows() {
        let (own, common) = (Path::new(FILE), Path::new("data").join("bcproxy").join(FILE));
        let on_windows = |existing: &[&Path]| choose(Some("data".into()), |path| existing.contains(&path));
        assert_eq!(on_windows(&[own, &common]), common);
        assert_eq!(on_windows(&[&common]), common);
        assert_eq!(on_windows(&[own]), own);
        assert_eq!(on_windows(&[]), common);
    }

    #[test]
    fn a_missing_variable_has_its_usual_value() {
        let usual = Path::new(COMMON_FOLDER).join("bcproxy").join(FILE);
        assert_eq!(choose(Some(folder_or_usual(None)), |_| false), usual);
        assert_eq!(choose(Some(folder_or_usual(Some(OsString::new()))), |_| false), usual);
    }

    #[test]
    fn other_systems_use_the_current_folder() {
        assert_eq!(choose(None, |_| true), Path::new(FILE));
        assert_eq!(choose(None, |_| false), Path::new(FILE));
    }
}
