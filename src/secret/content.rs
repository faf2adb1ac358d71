//! The bytes of a secret, within bounds.

use std::io;
use std::path::Path;

use tokio::io::AsyncReadExt;
use zeroize::Zeroizing;

use crate::small_file;

/// Reads a file that holds a secret, up to one byte beyond the size limit, converted to UTF-8.
pub async fn read_file(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    read_bounded(tokio::fs::File::open(path).await?).await
}

/// Reads up to one byte beyond the size limit, to detect a longer secret, converted to UTF-8.
pub async fn read_bounded(source: impl tokio::io::AsyncRead + Unpin) -> io::Result<Zeroizing<Vec<u8>>> {
    // Allocated in full: growing would leave copies of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_SECRET_BYTES + 1));
    source.take(MAX_SECRET_BYTES as u64 + 1).read_to_end(&mut bytes).await?;
    Ok(small_file::to_utf8(bytes))
}

/// Entra's secrets have 40 characters. Tokens, keys and certificates with their chain have some thousand.
pub const MAX_SECRET_BYTES: usize = 64 * 1024;
