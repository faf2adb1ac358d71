//! Loading of a configuration file.

use std::path::Path;

use super::model::config::Config;
use super::resolve::{self, references};
use super::shape::form::Shape;
use super::vocabulary::keys::all_keys;
use super::vocabulary::top_level::TopLevelKeys;
use super::yaml::diagnostics::{Diagnostic, Diagnostics, Severity};
use super::yaml::report::Report;
use super::yaml::source::{Source, Span};
use super::yaml::{mask, node};
use crate::small_file;

/// A configuration, and what in its file is probably not meant as written.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Warnings only, often none.
    pub warnings: Diagnostics,
}

impl Config {
    /// Reads a configuration file and looks whether the secrets and certificates it names are there.
    ///
    /// Paths in the file are relative to its folder. On error, all mistakes are reported, warnings among them.
    pub fn load(path: &Path) -> Result<Loaded, Diagnostics> {
        Self::read(path, true)
    }

    /// The same without a look at what the file names: it may be readable for the service alone.
    pub fn load_file_only(path: &Path) -> Result<Loaded, Diagnostics> {
        Self::read(path, false)
    }

    /// Reads the text of a configuration file without touching anything outside it. `file` is its name in messages.
    pub fn from_yaml(text: &str, file: &Path) -> Result<Loaded, Diagnostics> {
        read(text, file, false)
    }

    fn read(path: &Path, look_outside: bool) -> Result<Loaded, Diagnostics> {
        let bytes = small_file::read(path).map_err(|error| {
            let message = format!("the configuration file can't be read: {}", small_file::reason(&error));
            Diagnostics::about_file(
                path,
                message,
                "name the right file with --config, or put one there: the sample proxy.yaml is a beginning",
            )
        })?;
        let text = small_file::text(&bytes).ok_or_else(|| {
            let message = "the configuration file is not plain text in UTF-8".to_owned();
            Diagnostics::about_file(
                path,
                message,
                "save it as UTF-8: Windows' Notepad asks for the encoding when saving, PowerShell's Set-Content takes `-Encoding utf8`",
            )
        })?;
        read(text, path, look_outside)
    }
}

fn read(text: &str, file: &Path, look_outside: bool) -> Result<Loaded, Diagnostics> {
    if text.len() > small_file::MAX_FILE_BYTES {
        let message = "the configuration file is larger than 1 MiB".to_owned();
        return Err(Diagnostics::about_file(
            file,
            message,
            "look whether it is the right file, or divide it between several bcproxy services",
        ));
    }
    let source = Source::new(file, text);
    let tree = node::parse(text).map_err(|broken| {
        let masks = mask::all_values(&source, &all_keys());
        let span = Span { start: broken.at, end: broken.at };
        let item = Diagnostic {
            severity: Severity::Error,
            span: Some(span),
            message: broken.message.to_owned(),
            help: broken.help.to_owned(),
        };
        Diagnostics::new(source.clone(), masks, vec![item])
    })?;
    let Some(root) = &tree.root else {
        return Err(Diagnostics::about_file(
            file,
            "the configuration file is empty".to_owned(),
            "describe at least one connector: the sample proxy.yaml is a beginning",
        ));
    };
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut report = Report::new(source, &tree);
    let words = TopLevelKeys::read(root, &mut report);
    let config = words.as_ref().and_then(|words| resolve::config::config(words, folder, &mut report));
    if let Some(words) = words.as_ref().filter(|_| look_outside) {
        references::check(words, folder, &mut report);
    }
    match config.filter(|_| !report.has_errors()) {
        Some(config) => Ok(Loaded { config, warnings: report.finish() }),
        None => Err(report.finish()),
    }
}
