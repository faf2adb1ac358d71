//! Small files that people write or copy by hand, in any encoding that editors and shells produce.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

/// The size limit for files, in bytes. It suffices for some thousand connectors, and for any secret or CA bundle.
pub const MAX_FILE_BYTES: usize = 1024 * 1024;

/// Reads a file of at most [`MAX_FILE_BYTES`], [converted to UTF-8](to_utf8).
pub fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    let file = File::open(path).map_err(|error| match error.kind() {
        // Windows reports this for a folder.
        io::ErrorKind::PermissionDenied if path.is_dir() => io::ErrorKind::IsADirectory.into(),
        _ => error,
    })?;
    file.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_FILE_BYTES {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(to_utf8(bytes))
}

/// Converts text with a byte-order mark to UTF-8 without the mark. Other bytes stay unchanged.
///
/// Windows PowerShell's `>` and `Out-File` write UTF-16, as does Notepad for "Unicode". Both may also mark UTF-8.
pub fn to_utf8(bytes: Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
    let decoded = match *bytes.as_slice() {
        [0xEF, 0xBB, 0xBF, ref text @ ..] => Some(Zeroizing::new(text.to_vec())),
        [0xFF, 0xFE, ref text @ ..] => from_utf16(text, u16::from_le_bytes),
        [0xFE, 0xFF, ref text @ ..] => from_utf16(text, u16::from_be_bytes),
        _ => None,
    };
    decoded.unwrap_or(bytes)
}

/// The bytes as text, unless they are binary. A NUL means UTF-16 without a mark, or no text.
pub fn text(bytes: &[u8]) -> Option<&str> {
    str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

/// Whether new files in a folder get the folder's group, so that the group is meant to use them (setgid).
#[cfg(unix)]
pub fn passes_group(folder: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    folder.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o2000 != 0)
}

fn from_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<Zeroizing<Vec<u8>>> {
    let (units, rest) = bytes.as_chunks::<2>();
    // Allocated in full, at most three bytes for a unit: growing would leave copies of a secret behind.
    let mut text = Zeroizing::new(Vec::with_capacity(units.len() * 3));
    for character in char::decode_utf16(units.iter().copied().map(unit)) {
        text.extend_from_slice(character.ok()?.encode_utf8(&mut [0; 4]).as_bytes());
    }
    rest.is_empty().then_some(text)
}

/// The folder of a file, as a path that can be opened: `.` for a bare file name.
pub fn folder(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Why a file can't be read: a clause to follow a colon.
pub fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "it does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "the account bcproxy runs under may not read it".to_owned(),
        io::ErrorKind::FileTooLarge => "it is larger than 1 MiB".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        io::ErrorKind::InvalidFilename if cfg!(windows) => {
            "the file name is not valid; in YAML write paths with backslashes in single quotes, not in double quotes"
                .to_owned()
        }
        _ if cfg!(windows) && error.raw_os_error() == Some(SHARING_VIOLATION) => {
            "another program has it open".to_owned()
        }
        // The text of the kind is fixed; that of the error may hold more.
        kind => kind.to_string(),
    }
}

/// ERROR_SHARING_VIOLATION, which has no [`io::ErrorKind`].
const SHARING_VIOLATION: i32 = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_with_a_mark_is_read_in_any_encoding() {
        const TEXT: &str = "company: Überseehandel €😀\r\n";
        let marked = || std::iter::once(0xFEFF).chain(TEXT.encode_utf16());
        for bytes in [
            TEXT.as_bytes().to_vec(),
            [b"\xEF\xBB\xBF", TEXT.as_bytes()].concat(),
            marked().flat_map(u16::to_le_bytes).collect(),
            marked().flat_map(u16::to_be_bytes).collect(),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("proxy.yaml");
            std::fs::write(&file, bytes).unwrap();
            assert_eq!(text(&read(&file).unwrap()), Some(TEXT));
        }
    }

    #[test]
    fn binary_content_stays_unchanged() {
        for bytes in [&b"\xFF\xFEa\0b"[..], b"\xFF\xFE\x00\xD8", b"a\0b\0", b"\xDCbersee", b"\xFE"] {
            let read = to_utf8(bytes.to_vec().into());
            assert_eq!((read.as_slice(), text(&read)), (bytes, None));
        }
    }

    #[test]
    fn a_folder_is_reported_as_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(reason(&read(folder.path()).unwrap_err()), "it is a folder");
    }
}
