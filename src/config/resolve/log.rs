//! The log.

use std::path::Path;

use super::named_files::named_files;
use crate::config::model::{Log, RequestLog, Rotation, Share};
use crate::config::shape::{At, OrOff};
use crate::config::vocabulary::{LogKeys, RequestLinesKeys, TopLevelKeys};
use crate::config::yaml::Report;
use crate::small_file;

/// `None` if a part could not be read.
pub fn log(keys: &LogKeys) -> Option<Log> {
    let level = keys.level.as_ref()?.value;
    let successes = match &keys.requests.as_ref()?.value {
        // Their lines have the level `info`.
        _ if level < tracing::Level::INFO => None,
        RequestLinesKeys::Each(false) => None,
        RequestLinesKeys::Each(true) => Some(Share::ALL),
        RequestLinesKeys::Sampled(keys) => Some(keys.successes.as_ref()?.value),
    };
    let slow = match keys.slow.as_ref()?.value {
        OrOff::Off => None,
        OrOff::On(slow) => Some(slow),
    };
    let rotate = &keys.rotate.as_ref()?.value;
    let (size, keep) = (rotate.size.as_ref()?.value.0, rotate.keep.as_ref()?.value.0);
    Some(Log {
        format: keys.format.as_ref()?.value,
        level,
        requests: RequestLog { successes, slow },
        file: keys.file.as_ref().map(|path| path.value.clone()),
        rotation: Rotation { size, keep },
    })
}

/// Checks that the file of the log can be created. Whether bcproxy's account may do so is known at the start.
///
/// `own`: the configuration file.
pub fn check_file(own: &Path, file: &TopLevelKeys, report: &mut Report) {
    let Some(At { value: path, span, .. }) = file.log.as_ref().and_then(|log| log.value.file.as_ref()) else { return };
    let folder = small_file::folder(path);
    let (message, help) = if path.is_dir() {
        ("this is a folder, not a file", "add the name of the file")
    } else if named_files(file).chain([own.to_owned()]).any(|other| is_same_file(path, &other)) {
        ("bcproxy reads this file, and the log would damage it", "name a file of its own for the log")
    } else if folder.exists() && !folder.is_dir() {
        ("the folder of this file is itself a file", "name a folder")
    } else if !folder.exists() && !small_file::folder(folder).is_dir() {
        ("neither the folder of this file nor the one above it exists", "create the folder, or name another one")
    } else {
        return;
    };
    report.error(*span, message, help);
}

/// Whether both paths lead to the same file, or would if there was one.
fn is_same_file(one: &Path, other: &Path) -> bool {
    one == other || one.canonicalize().is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other))
}
