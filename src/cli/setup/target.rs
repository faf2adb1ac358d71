//! The file to write: the one that `--config` names, or another if that one must stay as it is.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anstream::println;
use similar::TextDiff;
use tempfile::NamedTempFile;

use super::prompt::{Prompt, indented};
use crate::cli::common::Failure;
use crate::config::{SAMPLE, listener_of_sample, looks_like_a_secret};
use crate::small_file;

/// What is at a path before anything is written there.
enum Present {
    Nothing,
    /// The sample that comes with bcproxy, unchanged but for its listener.
    Sample,
    Text(String),
    /// Something that can't be compared, and why.
    Other(String),
}

/// Checks, before any question, that a file can be written, and says what becomes of an existing one.
pub fn check(file: &Path, prompt: &Prompt, overwrite: bool) -> Result<(), Failure> {
    let folder = small_file::folder(file);
    if let Err(error) = NamedTempFile::with_prefix_in(".bcproxy-", folder) {
        let reason = match error.kind() {
            io::ErrorKind::NotFound => "the folder does not exist; create it".to_owned(),
            io::ErrorKind::PermissionDenied => NO_ACCESS.to_owned(),
            _ => format!("{}; check the folder", error.kind()),
        };
        return Err(Failure::Failed(format!(
            "Nothing was written: a file can't be created in {}: {reason}, or name another file with --config.",
            folder.display()
        )));
    }
    match present(file) {
        Present::Nothing | Present::Sample => Ok(()),
        Present::Text(_) | Present::Other(_) if overwrite => Ok(()),
        Present::Text(_) | Present::Other(_) if prompt.is_interactive => {
            let file = file.display();
            let text = format!("{file} already exists. In the end, setup shows what would change in it and asks you.");
            prompt.explain(&text);
            Ok(())
        }
        Present::Text(_) | Present::Other(_) => Err(already_exists(file)),
    }
}

/// Returns the path for `text`: `file`, or a new file beside it. Nothing is replaced without a yes or `overwrite`.
pub fn choose(file: &Path, text: &str, prompt: &Prompt, overwrite: bool) -> Result<PathBuf, Failure> {
    let mut path = file.to_owned();
    loop {
        let shown = path.display();
        match present(&path) {
            Present::Nothing => return Ok(path),
            Present::Sample => {
                println!("\n{shown} is the sample that comes with bcproxy, unchanged. The new file replaces it.");
                return Ok(path);
            }
            Present::Text(_) | Present::Other(_) if overwrite => return Ok(path),
            Present::Text(_) | Present::Other(_) if !prompt.is_interactive => return Err(already_exists(&path)),
            Present::Text(old) if is_same(&old, text) => return Ok(path),
            Present::Text(old) => {
                println!("\nThis would change in {shown}:\n\n{}", difference(&old, text, &shown.to_string()));
                if prompt.confirm(&format!("Replace {shown}?"), false, false)? {
                    return Ok(path);
                }
            }
            Present::Other(reason) => println!("\n  ✗ {shown} can't be compared with the new file: {reason}."),
        }
        prompt.explain(&"Name another file for the new configuration. Ctrl-C ends setup, and nothing is written.");
        let default = free_name(file);
        let name: FileName = prompt.value(None, "New file in the same folder", "--config", default.to_str())?;
        path = file.with_file_name(name.0);
    }
}

/// Returns the name, or the first one with a number that no file has yet: `proxy-2.yaml`.
pub fn free_name(file: &Path) -> PathBuf {
    let part = |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned());
    let stem = part(file.file_stem()).unwrap_or_default();
    let extension = part(file.extension()).map_or_else(String::new, |extension| format!(".{extension}"));
    let numbered = (2..).map(|number: u64| PathBuf::from(format!("{stem}-{number}{extension}")));
    let own = file.file_name().map(PathBuf::from);
    let is_free = |name: &PathBuf| !file.with_file_name(name).exists();
    own.into_iter().chain(numbered).find(is_free).unwrap_or_default()
}

/// The failure when an existing file stays as it is.
fn already_exists(file: &Path) -> Failure {
    Failure::Failed(format!(
        "Nothing was written: {} already exists. Name another file with --config, or replace it with --overwrite.",
        file.display()
    ))
}

/// The listener that an installation wrote into the sample.
pub fn listener(file: &Path) -> Option<SocketAddr> {
    listener_of_sample(small_file::text(&small_file::read(file).ok()?)?)
}

fn present(path: &Path) -> Present {
    let bytes = match small_file::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Present::Nothing,
        Err(error) => return Present::Other(small_file::reason(&error)),
    };
    match small_file::text(&bytes) {
        Some(text) if is_same(text, SAMPLE) || listener_of_sample(text).is_some() => Present::Sample,
        Some(text) => Present::Text(text.replace("\r\n", "\n")),
        None => Present::Other("it is not UTF-8 text".to_owned()),
    }
}

/// Whether two texts have the same lines. Git writes other line ends on Windows.
fn is_same(one: &str, other: &str) -> bool {
    one.lines().eq(other.lines())
}

/// The unified diff. Lines of the old file that may hold a secret are hidden.
fn difference(old: &str, new: &str, name: &str) -> String {
    let hidden = |line: &str| match looks_like_a_secret(line) {
        true => "(hidden: this line may hold a secret)".to_owned(),
        false => line.to_owned(),
    };
    let old: String = old.lines().flat_map(|line| [hidden(line), "\n".to_owned()]).collect();
    let diff = TextDiff::from_lines(old.as_str(), new);
    indented(&diff.unified_diff().header(name, &format!("{name} (new)")))
}

/// The name of a file, without a folder.
struct FileName(String);

impl FromStr for FileName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_name = Path::new(text).file_name().is_some_and(|name| name == text);
        if is_name {
            Ok(Self(text.to_owned()))
        } else {
            Err("write a file name without a folder, such as proxy-2.yaml")
        }
    }
}

const NO_ACCESS: &str = if cfg!(unix) {
    "your account may not write there; run setup with sudo"
} else {
    "your account may not write there; change the permissions"
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::sample_listening_on;

    #[test]
    fn the_sample_is_recognized_with_the_line_ends_of_windows() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("proxy.yaml");
        let unix = SAMPLE.replace("\r\n", "\n");
        for sample in [unix.clone(), unix.replace('\n', "\r\n"), format!("\u{feff}{unix}"), unix.trim_end().to_owned()]
        {
            std::fs::write(&file, sample).unwrap();
            assert!(matches!(present(&file), Present::Sample));
        }
        std::fs::write(&file, unix.replacen("cronus:", "mine:", 1)).unwrap();
        assert!(matches!(present(&file), Present::Text(_)));
        assert!(matches!(present(folder.path()), Present::Other(_)));

        let address = "127.0.0.9:7048".parse().unwrap();
        std::fs::write(&file, sample_listening_on(address)).unwrap();
        assert!(matches!(present(&file), Present::Sample) && listener(&file) == Some(address));
    }

    #[test]
    fn a_difference_shows_the_changed_lines_and_no_secret() {
        let old = "listen: 127.0.0.1:8080\nsecret: Abc8Q~abcdefghijklmnopqrstuvwxyz012345\nlog: {}\n";
        let shown = difference(old, "listen: 127.0.0.1:7048\nlog: {}\n", "proxy.yaml");
        for part in ["--- proxy.yaml", "+++ proxy.yaml (new)", "-listen: 127.0.0.1:8080", "+listen: 127.0.0.1:7048"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert!(shown.contains("-(hidden: this line may hold a secret)") && !shown.contains("Abc8Q"), "{shown}");
    }

    #[test]
    fn a_free_name_is_the_first_that_no_file_has() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("proxy.yaml");
        assert_eq!(free_name(&file), Path::new("proxy.yaml"));
        for taken in ["proxy.yaml", "proxy-2.yaml"] {
            std::fs::write(folder.path().join(taken), "").unwrap();
        }
        assert_eq!(free_name(&file), Path::new("proxy-3.yaml"));
        assert!("a/b.yaml".parse::<FileName>().is_err() && "..".parse::<FileName>().is_err());
    }
}
