//! A log in a file, which is renamed when it is full.
//!
//! A renamed file keeps its name until it is removed: on Windows, a program that reads a file can keep others from
//! renaming it. Somebody may remove or rename the file or its folder at any time; the next lines go to a new file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use crate::config;
use crate::small_file;

/// The file that lines are appended to.
#[derive(Debug)]
pub struct LogFile {
    settings: config::LogFile,
    file: File,
    /// The length of the file.
    length: u64,
    /// Whether a part of a line may be at its end.
    is_torn: bool,
    /// Whether the latest lines could not be written.
    is_failing: bool,
}

/// Why the file can't be opened, with the fix.
#[derive(Debug, thiserror::Error)]
#[error(
    "the file {} cannot be opened: {reason}. Let the account of bcproxy write to its folder, or name another file in \
     `log: {{ file: … }}`.",
    path.display()
)]
pub struct OpenError {
    path: PathBuf,
    reason: io::Error,
}

impl LogFile {
    /// Opens the file, or creates it and the folder that it is in.
    pub fn open(settings: &config::LogFile) -> Result<Self, OpenError> {
        let opened = open(&settings.path);
        let (file, length) = opened.map_err(|reason| OpenError { path: settings.path.clone(), reason })?;
        Ok(Self { settings: settings.clone(), file, length, is_torn: false, is_failing: false })
    }

    /// Appends all of these lines, or none of them.
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        match self.current_length() {
            Some(length) => self.length = length,
            None => self.reopen()?,
        }
        let size = lines.len() as u64;
        if self.length > 0 && self.length.saturating_add(size) > self.settings.rotation.size {
            let rotated = self.rotate();
            // If it can't be renamed, it may grow a little more.
            if self.length > self.settings.rotation.size.saturating_mul(2) {
                rotated?;
            }
        }
        if self.is_torn {
            self.file.write_all(b"\n")?;
        }
        let written = self.file.write_all(lines);
        self.is_torn = written.is_err() && self.file.set_len(self.length).is_err();
        written
    }

    /// The length of the file; `None` if the path leads to another file or to none.
    #[cfg(unix)]
    fn current_length(&self) -> Option<u64> {
        use std::os::unix::fs::MetadataExt;
        let (there, here) = (fs::metadata(&self.settings.path).ok()?, self.file.metadata().ok()?);
        ((there.dev(), there.ino()) == (here.dev(), here.ino())).then_some(here.len())
    }

    #[cfg(not(unix))]
    fn current_length(&self) -> Option<u64> {
        self.settings.path.exists().then(|| self.file.metadata().ok()).flatten().map(|file| file.len())
    }

    fn reopen(&mut self) -> io::Result<()> {
        (self.file, self.length) = open(&self.settings.path)?;
        self.is_torn = false;
        Ok(())
    }

    /// Renames the file, removes the oldest of the renamed ones, and begins a new one.
    fn rotate(&mut self) -> io::Result<()> {
        let stamp = OffsetDateTime::now_utc().format(STAMP).map_err(io::Error::other)?;
        let mut name = self.settings.path.clone().into_os_string();
        name.push(format!(".{stamp}"));
        let renamed = PathBuf::from(name);
        if renamed.exists() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        fs::rename(&self.settings.path, &renamed)?;
        self.reopen()?;
        for old in renamed_files(&self.settings.path)?.iter().rev().skip(self.settings.rotation.keep) {
            // Another program may be reading it. Then the next rotation removes it.
            let _ = fs::remove_file(old);
        }
        Ok(())
    }
}

impl Write for LogFile {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        let appended = self.append(lines);
        if let (Err(error), false) = (&appended, self.is_failing) {
            // Whoever starts bcproxy may still read this.
            let path = self.settings.path.display();
            let _ = writeln!(
                io::stderr(),
                "The log cannot be written to {path}: {error}. Its lines are lost until it can."
            );
        }
        self.is_failing = appended.is_err();
        appended.map(|()| lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Opens a file to append to it. Returns its length.
fn open(path: &Path) -> io::Result<(File, u64)> {
    let folder = small_file::folder(path);
    if !folder.exists() {
        create_folder(folder)?;
    }
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
    let file = options.open(path)?;
    let length = file.metadata()?.len();
    Ok((file, length))
}

/// Creates a folder, but none above it: a path with a typing mistake should fail.
fn create_folder(folder: &Path) -> io::Result<()> {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "folders have a mode only on Unix"))]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o750);
    builder.create(folder)
}

/// The files that were renamed, the oldest first.
fn renamed_files(path: &Path) -> io::Result<Vec<PathBuf>> {
    let is_renamed = |name: &str| {
        let stamp = name.strip_prefix(path.file_name()?.to_str()?)?.strip_prefix('.')?;
        PrimitiveDateTime::parse(stamp, STAMP).ok()
    };
    let mut renamed = Vec::new();
    for entry in fs::read_dir(small_file::folder(path))? {
        let entry = entry?;
        if entry.file_name().to_str().and_then(is_renamed).is_some() {
            renamed.push(entry.path());
        }
    }
    renamed.sort();
    Ok(renamed)
}

/// The end of a renamed file's name: its time. Windows allows no colon in it.
const STAMP: &[BorrowedFormatItem<'_>] =
    format_description!("[year][month][day]T[hour][minute][second].[subsecond digits:6]Z");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Rotation;

    fn settings(folder: &Path, size: u64, keep: usize) -> config::LogFile {
        config::LogFile { path: folder.join("logs").join("bcproxy.log"), rotation: Rotation { size, keep } }
    }

    fn text(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn a_full_file_is_renamed_and_the_oldest_ones_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), 10, 2);
        let mut log = LogFile::open(&settings).unwrap();
        let foreign = settings.path.with_extension("log.1");
        fs::write(&foreign, "not ours").unwrap();
        for line in ["first\n", "second\n", "third\n", "fourth\n"] {
            log.write_all(line.as_bytes()).unwrap();
        }
        let renamed = renamed_files(&settings.path).unwrap();
        let texts: Vec<String> = renamed.iter().map(|path| text(path)).collect();
        assert_eq!(texts, ["second\n", "third\n"], "the oldest was removed");
        assert_eq!(text(&settings.path), "fourth\n");
        assert_eq!(text(&foreign), "not ours");
    }

    #[test]
    fn an_existing_file_is_continued() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), 12, 2);
        LogFile::open(&settings).unwrap().write_all(b"before\n").unwrap();
        let mut log = LogFile::open(&settings).unwrap();
        log.write_all(b"after\n").unwrap();
        assert_eq!(text(&renamed_files(&settings.path).unwrap()[0]), "before\n", "its length counts");
        assert_eq!(text(&settings.path), "after\n");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_account_and_its_group_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), 100, 2);
        LogFile::open(&settings).unwrap();
        for (path, bits) in [(&*settings.path, 0o640), (small_file::folder(&settings.path), 0o750)] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777 & !bits, 0, "{path:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_removed_file_or_folder_is_created_again_and_one_renamed_by_others_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), 1000, 2);
        let mut log = LogFile::open(&settings).unwrap();
        log.write_all(b"one\n").unwrap();
        fs::remove_dir_all(settings.path.parent().unwrap()).unwrap();
        log.write_all(b"two\n").unwrap();
        assert_eq!(text(&settings.path), "two\n");
        let renamed = settings.path.with_extension("old");
        fs::rename(&settings.path, &renamed).unwrap();
        log.write_all(b"three\n").unwrap();
        assert_eq!((text(&renamed).as_str(), text(&settings.path).as_str()), ("two\n", "three\n"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_an_error_and_the_next_line_is_whole() {
        let settings = config::LogFile { path: "/dev/full".into(), rotation: Rotation { size: 1000, keep: 2 } };
        let mut log = LogFile::open(&settings).unwrap();
        assert_eq!(log.write_all(b"one\n").unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert!(log.is_torn, "what is no file can't be cut");
        let folder = tempfile::tempdir().unwrap();
        log.settings.path = folder.path().join("bcproxy.log");
        log.write_all(b"two\n").unwrap();
        assert_eq!(text(&log.settings.path), "two\n");
    }

    #[test]
    fn one_that_cannot_be_opened_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing").join("logs").join("bcproxy.log");
        let error = LogFile::open(&config::LogFile { path, rotation: Rotation { size: 1000, keep: 2 } })
            .unwrap_err()
            .to_string();
        assert!(error.contains("bcproxy.log cannot be opened: ") && error.contains("name another file"), "{error}");
        assert!(!folder.path().join("missing").exists(), "only the folder of the file is created");
    }
}
