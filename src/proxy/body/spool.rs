//! The spool: bodies too large for memory wait in files that have no name and that nobody else can read.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::config;
use crate::proxy::budgets::fair_budget::{Exhausted, Held, Holder};

/// Where large bodies wait.
#[derive(Debug)]
pub struct Spool {
    /// `None`: in memory only.
    folder: Option<PathBuf>,
    /// The size up to which a body waits in memory.
    pub memory: usize,
    /// Each write occupies a thread, and the memory of one.
    writes: Arc<Semaphore>,
}

/// A body in a file. It is deleted with the last reader.
#[derive(Debug)]
pub struct SpooledBody {
    file: File,
    length: u64,
    _held: Held,
}

/// A file that a body is written to.
#[derive(Debug)]
pub struct SpoolWriter {
    writes: Arc<Semaphore>,
    file: File,
    length: u64,
    held: Held,
}

/// Reads a spooled body from its beginning.
#[derive(Debug)]
pub struct SpoolReader {
    body: Arc<SpooledBody>,
    position: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

/// Why a body can't wait on disk.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    #[error("there is no folder for its temporary file (`spool` in proxy.yaml)")]
    NoFolder,
    #[error("the files of such requests reached the size of `spool: {{ disk: … }}` in proxy.yaml")]
    DiskBudget(#[from] Exhausted),
    #[error("its temporary file can't be written ({0}). See `spool` in proxy.yaml")]
    File(#[from] io::Error),
}

impl Spool {
    /// The spool with these settings; `None`: bodies wait in memory. Logs what an administrator should know.
    pub fn open(settings: Option<&config::Spool>) -> Self {
        let writes = Arc::new(Semaphore::new(MAX_WRITES));
        let Some(settings) = settings else { return Self { folder: None, memory: usize::MAX, writes } };
        let memory = usize::try_from(settings.memory).unwrap_or(usize::MAX);
        let folder = match &settings.folder {
            Some(folder) => named_folder(folder),
            None => {
                let folder =
                    default_folders().into_iter().find(|folder| is_writable(folder).is_ok() && !is_in_memory(folder));
                if folder.is_none() {
                    tracing::warn!(
                        "large request bodies wait in memory: there is no folder on a disk for them. {SET_FOLDER}"
                    );
                }
                folder
            }
        };
        Self { folder, memory, writes }
    }

    /// Whether bodies can wait on disk.
    pub fn has_folder(&self) -> bool {
        self.folder.is_some()
    }

    /// A new file, for which `disk` holds a part of the budget.
    pub async fn create(&self, disk: &Arc<Holder>) -> Result<SpoolWriter, SpoolError> {
        let folder = self.folder.clone().ok_or(SpoolError::NoFolder)?;
        let file = blocking(&self.writes, move || create(&folder)).await?;
        Ok(SpoolWriter { writes: self.writes.clone(), file, length: 0, held: disk.empty() })
    }
}

impl SpoolWriter {
    /// Appends blocks of bytes, and returns them. Nothing is left of the file if this fails or is canceled.
    pub async fn write(mut self, blocks: Vec<BytesMut>) -> Result<(Self, Vec<BytesMut>), SpoolError> {
        let bytes = blocks.iter().map(|block| block.len() as u64).sum();
        self.held.grow(bytes)?;
        self.length += bytes;
        let writes = self.writes.clone();
        let written = blocking(&writes, move || {
            blocks.iter().try_for_each(|block| self.file.write_all(block))?;
            Ok((self, blocks))
        });
        Ok(written.await?)
    }

    /// The body, of which everything is written. Reading begins at the start.
    pub fn finish(self) -> SpoolReader {
        let body = SpooledBody { file: self.file, length: self.length, _held: self.held };
        SpoolReader { body: Arc::new(body), position: 0, reading: None }
    }
}

impl SpoolReader {
    /// Another reader, at the beginning.
    pub fn again(&self) -> Self {
        Self { body: self.body.clone(), position: 0, reading: None }
    }

    /// What is still to be read.
    pub fn left(&self) -> u64 {
        self.body.length - self.position
    }

    /// The next piece. `None` at the end.
    pub fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.left() == 0 {
            return Poll::Ready(None);
        }
        let (body, position, left) = (&self.body, self.position, self.left());
        let reading = self.reading.get_or_insert_with(|| {
            let body = body.clone();
            spawn_blocking(move || {
                let mut piece = vec![0; usize::try_from(left).unwrap_or(usize::MAX).min(PIECE_BYTES)];
                let count = read_at(&body.file, &mut piece, position)?;
                piece.truncate(count);
                Ok(piece.into())
            })
        });
        let piece = ready!(Pin::new(reading).poll(context));
        self.reading = None;
        let piece = piece.unwrap_or_else(|error| Err(error.into()));
        Poll::Ready(Some(match piece {
            Ok(piece) if piece.is_empty() => Err(ErrorKind::UnexpectedEof.into()),
            Ok(piece) => {
                self.position += piece.len() as u64;
                Ok(piece)
            }
            Err(error) => Err(error),
        }))
    }
}

/// The folder that the file names, if it can be written to.
fn named_folder(folder: &Path) -> Option<PathBuf> {
    if let Err(error) = is_writable(folder) {
        tracing::warn!(folder = %folder.display(), "large request bodies wait in memory: their folder can't be written to ({error}). {SET_FOLDER}");
        return None;
    }
    if is_in_memory(folder) {
        tracing::warn!(folder = %folder.display(), "the folder of `spool` is in memory (tmpfs), which large request bodies can fill. {SET_FOLDER}");
    }
    Some(folder.to_owned())
}

fn default_folders() -> Vec<PathBuf> {
    let of_service = std::env::var_os("STATE_DIRECTORY").map(PathBuf::from);
    let unix = cfg!(unix).then(|| PathBuf::from("/var/tmp"));
    of_service.into_iter().chain([std::env::temp_dir()]).chain(unix).collect()
}

fn is_writable(folder: &Path) -> io::Result<()> {
    create(folder).map(drop)
}

fn create(folder: &Path) -> io::Result<File> {
    let file = tempfile::tempfile_in(folder)?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(file)
}

#[cfg(target_os = "linux")]
fn is_in_memory(folder: &Path) -> bool {
    rustix::fs::statfs(folder).is_ok_and(|system| matches!(i128::from(system.f_type), TMPFS_MAGIC | RAMFS_MAGIC))
}

#[cfg(not(target_os = "linux"))]
fn is_in_memory(_folder: &Path) -> bool {
    false
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, position)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, position)
}

/// Carries blocking work out, as soon as fewer than [`MAX_WRITES`] others do.
async fn blocking<T: Send + 'static>(
    writes: &Arc<Semaphore>,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let write = writes.clone().acquire_owned().await.map_err(io::Error::other)?;
    let work = move || {
        let _write = write;
        work()
    };
    spawn_blocking(work).await.unwrap_or_else(|error| Err(error.into()))
}

/// Writes to all files at the same time. A disk is hardly faster with more.
const MAX_WRITES: usize = 16;

/// Bytes read from a file at once.
const PIECE_BYTES: usize = 128 * 1024;

/// `f_type` of file systems that are in memory (statfs(2)).
#[cfg(target_os = "linux")]
const TMPFS_MAGIC: i128 = 0x0102_1994;
#[cfg(target_os = "linux")]
const RAMFS_MAGIC: i128 = 0x8584_58f6;

const SET_FOLDER: &str = "Set `spool: { folder: … }` in proxy.yaml to a folder on a disk that bcproxy may write to";

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::net::Ipv4Addr;

    use super::*;
    use crate::proxy::budgets::fair_budget::FairBudget;

    fn spool(folder: &Path) -> Spool {
        let settings = config::Spool { folder: Some(folder.to_owned()), memory: 1, disk: 1 };
        Spool::open(Some(&settings))
    }

    async fn read(reader: &mut SpoolReader) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(piece) = poll_fn(|context| reader.poll_piece(context)).await {
            all.extend_from_slice(&piece.unwrap());
        }
        all
    }

    #[tokio::test]
    async fn a_spooled_body_can_be_read_again_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let budget = FairBudget::new(1 << 20);
        let mut writer = spool(folder.path()).create(&budget.holder(Ipv4Addr::LOCALHOST.into())).await.unwrap();
        let body: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        for piece in body.chunks(70_001) {
            (writer, _) = writer.write(vec![piece.into()]).await.unwrap();
        }
        let files = || std::fs::read_dir(folder.path()).unwrap().count();
        // On Windows, the system deletes the file when it is closed.
        assert_eq!(files(), usize::from(cfg!(windows)), "the file has no name");
        let mut reader = writer.finish();
        assert_eq!(reader.left(), 400_000);
        assert!(read(&mut reader).await == body && read(&mut reader.again()).await == body);
        assert_eq!(budget.used(), 400_000);
        drop(reader);
        assert_eq!((budget.used(), files()), (0, 0));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn nobody_else_can_read_the_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let budget = FairBudget::new(1);
        let writer = spool(folder.path()).create(&budget.holder(Ipv4Addr::LOCALHOST.into())).await.unwrap();
        assert_eq!(writer.file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn without_a_folder_or_a_budget_it_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let budget = FairBudget::new(10);
        let disk = budget.holder(Ipv4Addr::LOCALHOST.into());
        let writer = spool(folder.path()).create(&disk).await.unwrap();
        let (writer, _) = writer.write(vec![b"0123456789"[..].into()]).await.unwrap();
        assert!(matches!(writer.write(vec![b"0"[..].into()]).await, Err(SpoolError::DiskBudget(_))));

        let missing = config::Spool { folder: Some(folder.path().join("missing")), memory: 1, disk: 1 };
        let none = Spool::open(Some(&missing));
        assert!(!none.has_folder());
        assert!(matches!(none.create(&disk).await, Err(SpoolError::NoFolder)));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_is_no_disk() {
        assert!(is_in_memory(Path::new("/dev/shm")) || !Path::new("/dev/shm").exists());
        assert!(!is_in_memory(Path::new(env!("CARGO_MANIFEST_DIR"))));
    }
}
