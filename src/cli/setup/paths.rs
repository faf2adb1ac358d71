//! Paths from the command line.

use std::path::{Path, PathBuf};

use crate::cli::common::Failure;

/// Makes a path absolute: relative paths refer to the working directory here, but to the file's folder in `proxy.yaml`.
pub fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::Configuration(format!("{}: {error}", path.display())))
}
