//! Which files have another content than before.
//!
//! Folders are watched, not files: editors and Kubernetes put a new file, or a new link to one, in the old one's place. What counts is the content, so that
//! neither a touched file nor one that was only read is a change. A log that grows in the same folder is none of ours.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::event::ModifyKind;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use crate::small_file;

/// Some files, and what was in them when they were last looked at.
pub struct Watch {
    files: Vec<(PathBuf, Option<u64>)>,
    /// `None` where the operating system can't watch: then we look from time to time.
    watcher: Option<RecommendedWatcher>,
    sender: mpsc::UnboundedSender<()>,
    stirred: mpsc::UnboundedReceiver<()>,
    /// Something stirred, and it was not looked into yet.
    is_stirred: bool,
}

impl Watch {
    /// Begins to watch; what the files hold now is known.
    pub async fn begin(files: &[PathBuf]) -> Self {
        let (sender, stirred) = mpsc::unbounded_channel();
        let mut watch = Self { files: Vec::new(), watcher: None, sender, stirred, is_stirred: false };
        watch.turn_to(files).await;
        watch
    }

    /// Watches these files from now on. Of those that were watched before, a change not seen yet is still one.
    pub async fn turn_to(&mut self, files: &[PathBuf]) {
        // First the watcher: what changes while we look is looked at again.
        self.watcher = self.watcher(files);
        let mut turned = Vec::with_capacity(files.len());
        for file in files {
            let known = self.files.iter().find(|(known, _)| known == file).map(|(_, content)| *content);
            let content = match known {
                Some(content) => content,
                None => content(file).await,
            };
            turned.push((file.clone(), content));
        }
        self.files = turned;
    }

    /// Waits until one of the files has another content.
    ///
    /// Dropping the future loses no change.
    pub async fn changed(&mut self) {
        loop {
            if !self.is_stirred {
                // A network drive does not tell, and neither does a watcher that could not be set up.
                let _ = timeout(LOOK_ANYWAY, self.stirred.recv()).await;
                self.is_stirred = true;
            }
            // A file is seldom written in one go.
            let patience = Instant::now() + LONGEST_WRITING;
            while timeout_at(patience, timeout(QUIET, self.stirred.recv())).await.is_ok_and(|heard| heard.is_ok()) {}
            let mut is_changed = false;
            for (file, known) in &mut self.files {
                let now = content(file).await;
                is_changed |= now != *known;
                *known = now;
            }
            self.is_stirred = false;
            if is_changed {
                return;
            }
        }
    }

    fn watcher(&self, files: &[PathBuf]) -> Option<RecommendedWatcher> {
        let sender = self.sender.clone();
        let places = places(files);
        let names = names(&places);
        let stir = move |event: notify::Result<Event>| {
            // What was missed may be anything.
            if event.map_or(true, |event| concerns(&event, &names)) {
                let _ = sender.send(());
            }
        };
        let watcher = notify::recommended_watcher(stir).and_then(|mut watcher| {
            let folders: BTreeSet<&Path> = places.iter().map(|place| small_file::folder(place)).collect();
            folders.into_iter().try_for_each(|folder| watcher.watch(folder, RecursiveMode::NonRecursive))?;
            Ok(watcher)
        });
        let cant = |error: &notify::Error| {
            let seconds = LOOK_ANYWAY.as_secs();
            tracing::warn!(
                "changes of the configuration are noticed every {seconds} s only: its folder can't be watched ({error})"
            );
        };
        watcher.inspect_err(cant).ok()
    }
}

/// Where the files are: as they are named, and where links lead.
fn places(files: &[PathBuf]) -> Vec<PathBuf> {
    let real = files.iter().filter_map(|file| file.canonicalize().ok());
    files.iter().cloned().chain(real).collect()
}

/// What the files are called, in small letters: not every system tells them apart.
fn names(places: &[PathBuf]) -> BTreeSet<String> {
    places.iter().filter_map(|place| name(place)).collect()
}

fn name(path: &Path) -> Option<String> {
    path.file_name().map(|name| name.to_string_lossy().to_lowercase())
}

/// Whether one of the files may have another content after that.
fn concerns(event: &Event, names: &BTreeSet<String>) -> bool {
    match event.kind {
        // Our own reading.
        EventKind::Access(_) => false,
        // Something else in its place: whatever has come, gone or changed its name may be a link that leads to it.
        EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)) => true,
        EventKind::Modify(_) => event.paths.iter().any(|path| name(path).is_none_or(|name| names.contains(&name))),
        EventKind::Any | EventKind::Other => true,
    }
}

/// A digest of what is in a file; `None` if it can't be read.
async fn content(file: &Path) -> Option<u64> {
    let bytes = zeroize::Zeroizing::new(tokio::fs::read(file).await.ok()?);
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    Some(hasher.finish())
}

/// How long nothing stirs after a file was written.
const QUIET: Duration = Duration::from_millis(200);

/// A folder in which something always stirs does not keep us from looking.
const LONGEST_WRITING: Duration = Duration::from_secs(2);

const LOOK_ANYWAY: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use notify::event::{AccessKind, CreateKind, DataChange, RemoveKind, RenameMode};

    use super::*;

    #[test]
    fn what_others_write_beside_the_files_is_no_reason_to_look() {
        let names = names(&["/etc/bcproxy/proxy.yaml".into(), "/run/secret.txt".into()]);
        let written = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        let renamed = EventKind::Modify(ModifyKind::Name(RenameMode::To));
        for (kind, path, is_ours) in [
            (written, "/etc/bcproxy/proxy.yaml", true),
            (written, "/etc/bcproxy/Proxy.YAML", true),
            (written, "/run/secret.txt", true),
            (written, "/etc/bcproxy/bcproxy.log", false),
            (EventKind::Modify(ModifyKind::Any), "/etc/bcproxy/bcproxy.log", false),
            (EventKind::Access(AccessKind::Any), "/etc/bcproxy/proxy.yaml", false),
            // Kubernetes changes where a link leads.
            (renamed, "/etc/bcproxy/..data", true),
            (EventKind::Create(CreateKind::Any), "/etc/bcproxy/..data", true),
            (EventKind::Remove(RemoveKind::Any), "/etc/bcproxy/proxy.yaml", true),
        ] {
            assert_eq!(concerns(&Event::new(kind).add_path(path.into()), &names), is_ours, "{kind:?} {path}");
        }
        assert!(concerns(&Event::new(EventKind::Other), &names), "so much at once that some of it was lost");
    }
}
