//! Files people write or copy by hand: read whole, up to a bound.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

/// The largest file that is read, in bytes: room for some thousand connectors, and more than any secret or bundle of certificates has.
pub const LARGEST: usize = 1024 * 1024;

/// Reads a whole file of at most [`LARGEST`] bytes.
pub fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path)?.take(LARGEST as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > LARGEST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

/// Why a file can't be read, in a sentence that fits behind a colon.
pub fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "it does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "the account bcproxy runs under may not read it".to_owned(),
        io::ErrorKind::FileTooLarge => "it is larger than 1 MiB".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        // The kind's own words are fixed; those of the error may hold more.
        kind => kind.to_string(),
    }
}
