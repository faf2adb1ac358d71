//! Notices when the content of a file changes.
//!
//! It watches folders instead of files, because editors and Kubernetes replace a file or a link with a new one.
//! It compares contents, so a file that was only touched or read has not changed. Writes to other files in the same
//! folder, such as a growing log, are ignored.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::event::ModifyKind;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use crate::small_file;

/// A set of files, and the content each had when it was last read.
pub struct FileWatcher {
    files: Vec<(PathBuf, Option<u64>)>,
    /// `None` if the operating system can't watch the folders. Then the files are polled.
    watcher: Option<RecommendedWatcher>,
    sender: mpsc::UnboundedSender<()>,
    events: mpsc::UnboundedReceiver<()>,
    /// An event has arrived, and the files have not been read since.
    is_pending: bool,
}

impl FileWatcher {
    /// Reads the files' current contents and starts to watch them.
    pub async fn start(files: &[PathBuf]) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let mut watcher = Self { files: Vec::new(), watcher: None, sender, events, is_pending: false };
        watcher.watch(files).await;
        watcher
    }

    /// Watches these files instead. If a file was watched before, an unreported change to it is not lost.
    pub async fn watch(&mut self, files: &[PathBuf]) {
        // The watcher comes first: a change while the files are read leads to another read.
        self.watcher = self.watcher(files);
        let mut watched = Vec::with_capacity(files.len());
        for file in files {
            let known = self.files.iter().find(|(known, _)| known == file).map(|(_, digest)| *digest);
            let digest = match known {
                Some(digest) => digest,
                None => digest(file).await,
            };
            watched.push((file.clone(), digest));
        }
        self.files = watched;
    }

    /// Waits until the content of a file changes.
    ///
    /// Dropping the future loses no change.
    pub async fn changed(&mut self) {
        loop {
            if !self.is_pending {
                // Network drives send no events, and the watcher may have failed to start.
                let _ = timeout(POLL_INTERVAL, self.events.recv()).await;
                self.is_pending = true;
            }
            // Programs often write a file in several parts.
            let deadline = Instant::now() + MAX_SETTLE_TIME;
            while timeout_at(deadline, timeout(QUIET_TIME, self.events.recv())).await.is_ok_and(|event| event.is_ok()) {
            }
            let mut is_changed = false;
            for (file, known) in &mut self.files {
                let current = digest(file).await;
                is_changed |= current != *known;
                *known = current;
            }
            self.is_pending = false;
            if is_changed {
                return;
            }
        }
    }

    fn watcher(&self, files: &[PathBuf]) -> Option<RecommendedWatcher> {
        let sender = self.sender.clone();
        // Links among the files, and the files to which they lead.
        let targets = files.iter().filter_map(|file| file.canonicalize().ok());
        let paths: Vec<PathBuf> = files.iter().cloned().chain(targets).collect();
        let names = names(&paths);
        let handler = move |event: notify::Result<Event>| {
            // An error means that events may have been lost.
            if event.map_or(true, |event| is_relevant(&event, &names)) {
                let _ = sender.send(());
            }
        };
        let watcher = notify::recommended_watcher(handler).and_then(|mut watcher| {
            let folders: BTreeSet<&Path> = paths.iter().map(|path| small_file::folder(path)).collect();
            folders.into_iter().try_for_each(|folder| watcher.watch(folder, RecursiveMode::NonRecursive))?;
            Ok(watcher)
        });
        let warn = |error: &notify::Error| {
            tracing::warn!(
                "watching the configuration's folder failed ({error}): its files are checked every {} s instead",
                POLL_INTERVAL.as_secs()
            );
        };
        watcher.inspect_err(warn).ok()
    }
}

/// Returns the file names in lower case, because some file systems ignore case.
fn names(paths: &[PathBuf]) -> BTreeSet<String> {
    paths.iter().filter_map(|path| name(path)).collect()
}

fn name(path: &Path) -> Option<String> {
    path.file_name().map(|name| name.to_string_lossy().to_lowercase())
}

/// Whether the event may have changed the content of one of the files.
fn is_relevant(event: &Event, names: &BTreeSet<String>) -> bool {
    match event.kind {
        // Our own reads.
        EventKind::Access(_) => false,
        // Any created, removed or renamed entry may be a link on the path to one of the files.
        EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)) => true,
        EventKind::Modify(_) => event.paths.iter().any(|path| name(path).is_none_or(|name| names.contains(&name))),
        EventKind::Any | EventKind::Other => true,
    }
}

/// Returns a digest of a file's content, or `None` if it can't be read.
async fn digest(file: &Path) -> Option<u64> {
    let bytes = zeroize::Zeroizing::new(tokio::fs::read(file).await.ok()?);
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    Some(hasher.finish())
}

/// How long a folder must be quiet before the files are read.
const QUIET_TIME: Duration = Duration::from_millis(200);

/// The longest wait for that, for folders that are never quiet.
const MAX_SETTLE_TIME: Duration = Duration::from_secs(2);

/// How often files are read if no event arrives.
const POLL_INTERVAL: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use notify::event::{AccessKind, CreateKind, DataChange, RemoveKind, RenameMode};

    use super::*;

    #[test]
    fn writes_to_other_files_in_the_folder_are_ignored() {
        let names = names(&["/etc/bcproxy/proxy.yaml".into(), "/run/secret.txt".into()]);
        let written = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        let renamed = EventKind::Modify(ModifyKind::Name(RenameMode::To));
        for (kind, path, is_watched) in [
            (written, "/etc/bcproxy/proxy.yaml", true),
            (written, "/etc/bcproxy/Proxy.YAML", true),
            (written, "/run/secret.txt", true),
            (written, "/etc/bcproxy/bcproxy.log", false),
            (EventKind::Modify(ModifyKind::Any), "/etc/bcproxy/bcproxy.log", false),
            (EventKind::Access(AccessKind::Any), "/etc/bcproxy/proxy.yaml", false),
            // Kubernetes replaces a link.
            (renamed, "/etc/bcproxy/..data", true),
            (EventKind::Create(CreateKind::Any), "/etc/bcproxy/..data", true),
            (EventKind::Remove(RemoveKind::Any), "/etc/bcproxy/proxy.yaml", true),
        ] {
            assert_eq!(is_relevant(&Event::new(kind).add_path(path.into()), &names), is_watched, "{kind:?} {path}");
        }
        assert!(is_relevant(&Event::new(EventKind::Other), &names), "so many events that some were lost");
    }
}
