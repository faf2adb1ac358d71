//! Loading a configuration file.

use std::io;
use std::path::{Path, PathBuf};

use super::model::{Admin, Config};
use super::resolve::{self, Protection, Variables};
use super::shape::Shape;
use super::vocabulary::{TopLevelKeys, all_keys};
use super::yaml::{Diagnostics, Report, Source, mask, masked_text, node};
use crate::small_file;

/// A valid configuration and the warnings about its file.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What is allowed but probably a mistake. Often empty, never an error.
    pub warnings: Diagnostics,
    /// The file as it may be shown: without comments, secrets and what may be one.
    pub masked_text: String,
    /// The other files that bcproxy reads because this one names them.
    pub named_files: Vec<PathBuf>,
}

impl Config {
    /// Reads a configuration file, and checks that the secrets and certificates it refers to exist and can be used.
    ///
    /// Relative paths in the file start in its folder. An error lists every mistake and every warning.
    pub fn load(path: &Path) -> Result<Loaded, Diagnostics> {
        Self::read(path, Some(Variables::Service))
    }

    /// The same from a terminal, whose environment variables are not those of the service: a missing one is a warning.
    pub fn check(path: &Path) -> Result<Loaded, Diagnostics> {
        Self::read(path, Some(Variables::Terminal))
    }

    /// Reads a configuration file without checking what it refers to, which only the service account may be able to
    /// read.
    pub fn load_file_only(path: &Path) -> Result<Loaded, Diagnostics> {
        Self::read(path, None)
    }

    /// The admin listener of a file that may have mistakes elsewhere; the default one if its syntax is wrong. `None` if
    /// there is no file, or no admin listener.
    ///
    /// A running bcproxy keeps the previous configuration while the file is broken, and commands still have to find it.
    pub fn admin_of_broken_file(path: &Path) -> Option<Admin> {
        let bytes = small_file::read(path).ok()?;
        let text = small_file::text(&bytes)?;
        let (text, tree) = match node::parse(text) {
            Ok(tree) => (text, tree),
            Err(_) => (NO_KEYS, node::parse(NO_KEYS).ok()?),
        };
        let mut report = Report::new(Source::new(path, text), &tree);
        let keys = TopLevelKeys::read(tree.root.as_ref()?, &mut report)?;
        resolve::admin(&keys, &mut report)?
    }

    /// Reads a configuration from text without reading anything else. Messages call it `file`.
    pub fn from_yaml(text: &str, file: &Path) -> Result<Loaded, Diagnostics> {
        read(text, file, None)
    }

    fn read(path: &Path, references: Option<Variables>) -> Result<Loaded, Diagnostics> {
        let bytes = small_file::read(path).map_err(|error| {
            let message = format!("the configuration file can't be read: {}", small_file::reason(&error));
            let help = match error.kind() {
                io::ErrorKind::NotFound => NO_FILE,
                io::ErrorKind::PermissionDenied if cfg!(unix) => {
                    "run the command with sudo or as the service's account, or name another file with --config"
                }
                _ => "name the right file with --config, or let this account read it",
            };
            Diagnostics::about_file(path, message, help)
        })?;
        let text = small_file::text(&bytes).ok_or_else(|| {
            Diagnostics::about_file(
                path,
                "the configuration file is not UTF-8 text",
                "save the file as UTF-8: choose the encoding in Notepad's Save As, or use `Set-Content -Encoding utf8` in PowerShell",
            )
        })?;
        read(text, path, references)
    }
}

/// `references`: whether to check what the file refers to, and whose variables those of this process are.
fn read(text: &str, file: &Path, references: Option<Variables>) -> Result<Loaded, Diagnostics> {
    if text.len() > small_file::MAX_FILE_BYTES {
        return Err(Diagnostics::about_file(
            file,
            "the configuration file is larger than 1 MiB",
            "check that this is the right file, or split it between several bcproxy services",
        ));
    }
    let source = Source::new(file, text);
    let tree = node::parse(text).map_err(|error| {
        let masks = mask::spans_of_values(&source, &all_keys());
        Diagnostics::new(source.clone(), masks, vec![error])
    })?;
    let Some(root) = &tree.root else {
        return Err(Diagnostics::about_file(
            file,
            "the configuration file is empty",
            "run `bcproxy setup`, which writes the file",
        ));
    };
    let mut report = Report::new(source, &tree);
    let keys = TopLevelKeys::read(root, &mut report);
    let config = keys.as_ref().and_then(|keys| resolve::config(keys, &mut report));
    if let (Some(keys), Some(variables)) = (&keys, references) {
        resolve::check_permissions(file, Protection::Unchanged, None, &mut report);
        resolve::check_references(file, keys, variables, &mut report);
    }
    match (keys, config.filter(|_| !report.has_errors())) {
        (Some(keys), Some(config)) => Ok(Loaded {
            config,
            masked_text: masked_text(text, &tree),
            named_files: resolve::named_files(&keys).collect(),
            warnings: report.finish(),
        }),
        _ => Err(report.finish()),
    }
}

/// A mapping without keys: each has its default.
const NO_KEYS: &str = "{}";

const NO_FILE: &str = if cfg!(feature = "demo") {
    "run `bcproxy setup`, which writes the file; or run `bcproxy demo`, which needs none; or name another file with --config"
} else {
    "run `bcproxy setup`, which writes the file; or name another file with --config"
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_admin_listener_of_a_broken_file_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("proxy.yaml");
        let address = |text: &str| {
            std::fs::write(&file, text).unwrap();
            Config::admin_of_broken_file(&file).map(|admin| admin.listen[0].address.to_string())
        };
        assert_eq!(Config::admin_of_broken_file(&file), None, "there is no file");
        assert_eq!(address("admin: { listen: 127.0.0.1:9081 }\nlisen: x").as_deref(), Some("127.0.0.1:9081"));
        assert_eq!(address("connectors: [").as_deref(), Some("127.0.0.1:8081"));
        assert_eq!(address("lisen: x").as_deref(), Some("127.0.0.1:8081"));
        assert_eq!(address("admin: off"), None);
        assert_eq!(address("admin: { listen: nowhere }"), None);
    }
}
