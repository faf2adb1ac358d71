//! The configuration file that commands use without `--config`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Returns the configuration file for commands without `--config`.
///
/// On Windows, this is `%ProgramData%\bcproxy\proxy.yaml`, as for the service. Only if that is missing, a `proxy.yaml`
/// in the current folder takes precedence. Elsewhere it is `proxy.yaml` in the current folder.
pub fn default_file() -> PathBuf {
    let common = cfg!(windows).then(|| std::env::var_os("ProgramData"));
    choose(common, Path::exists)
}

/// `variable`: `None` on systems other than Windows, or else the variable `ProgramData`.
fn choose(variable: Option<Option<OsString>>, exists: impl Fn(&Path) -> bool) -> PathBuf {
    let own = PathBuf::from(FILE);
    let Some(variable) = variable else { return own };
    let folder = variable.filter(|folder| !folder.is_empty()).map_or(PathBuf::from(COMMON_FOLDER), PathBuf::from);
    let common = folder.join("bcproxy").join(FILE);
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
        let on_windows = |existing: &[&Path]| choose(Some(Some("data".into())), |path| existing.contains(&path));
        assert_eq!(on_windows(&[own, &common]), common);
        assert_eq!(on_windows(&[&common]), common);
        assert_eq!(on_windows(&[own]), own);
        assert_eq!(on_windows(&[]), common);
    }

    #[test]
    fn a_missing_variable_has_its_usual_value() {
        let usual = Path::new(COMMON_FOLDER).join("bcproxy").join(FILE);
        assert_eq!(choose(Some(None), |_| false), usual);
        assert_eq!(choose(Some(Some(OsString::new())), |_| false), usual);
    }

    #[test]
    fn other_systems_use_the_current_folder() {
        assert_eq!(choose(None, |_| true), Path::new(FILE));
        assert_eq!(choose(None, |_| false), Path::new(FILE));
    }
}
