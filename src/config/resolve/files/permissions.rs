//! Whether other accounts of this machine can read or change the files that the configuration names. Whether files of
//! certificates to trust can be used.

use std::path::{Path, PathBuf};

use crate::config::shape::At;
use crate::config::yaml::{Report, Span};
#[cfg(unix)]
use crate::small_file;
use crate::tls;

/// What other accounts must not do with a file.
#[derive(Debug, Clone, Copy)]
pub enum Protection {
    /// Neither read nor change it: it holds a secret or a key.
    Secret,
    /// Not change it: it decides whom bcproxy trusts or what it does.
    Unchanged,
}

/// Checks a file of certificates to trust.
pub fn check_ca_file(ca_file: Option<&At<PathBuf>>, report: &mut Report) {
    if let Some(At { value: path, span, .. }) = ca_file {
        check_permissions(path, Protection::Unchanged, Some(*span), report);
        if let Err(error) = tls::read_certificates(path) {
            report.error(*span, format!("the file named here {error}"), error.help());
        }
    }
}

/// Warns if the group of a file, or everybody, can do what they must not. `span`: where the configuration names it;
/// `None` for the configuration file itself.
///
/// On Windows, access control lists decide, which are not read.
pub fn check_permissions(path: &Path, protection: Protection, span: Option<Span>, report: &mut Report) {
    let Some(bits) = open_bits(path) else { return };
    let has_group_of_folder = has_group_of_folder(path);
    let (message, modes) = match (protection, has_group_of_folder) {
        (Protection::Secret, false) if bits & READ_OR_WRITE != 0 => (READABLE, "go="),
        // The group of such a folder is the service's.
        (Protection::Secret, true) if bits & READ_OR_WRITE & !GROUP_READ != 0 => (READABLE, "g=r,o="),
        (Protection::Unchanged, _) if bits & WRITE != 0 => {
            ("other accounts of this machine can change this file", "go-w")
        }
        _ => return,
    };
    let owner = if has_group_of_folder { "" } else { ", and make the account that runs bcproxy its owner" };
    report.warning(span, message, format!("run `chmod {modes}` on it{owner}"));
}

/// The mode bits of group and others, without those of accounts that can't reach the file's folder.
#[cfg(unix)]
fn open_bits(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    let path = path.canonicalize().ok()?;
    let mode = |path: &Path| path.metadata().ok().map(|metadata| metadata.permissions().mode());
    let folders = path.ancestors().skip(1).map(mode).collect::<Option<Vec<u32>>>()?;
    Some(reachable(mode(&path)?, &folders))
}

#[cfg(not(unix))]
fn open_bits(_: &Path) -> Option<u32> {
    None
}

/// Whether the folder of a file passes its group to new files (setgid), and the file has this group.
#[cfg(unix)]
fn has_group_of_folder(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let group = |path: &Path| path.metadata().ok().map(|metadata| metadata.gid());
    let folder = small_file::folder(path);
    small_file::passes_group(folder) && group(folder).is_some_and(|of_folder| group(path) == Some(of_folder))
}

#[cfg(not(unix))]
fn has_group_of_folder(_: &Path) -> bool {
    false
}

/// A file's group need not be its folder's: it counts as reachable for a group if anybody else but the owner passes.
#[cfg(unix)]
fn reachable(file: u32, folders: &[u32]) -> u32 {
    let group = if folders.iter().all(|mode| mode & 0o011 != 0) { 0o070 } else { 0 };
    let others = if folders.iter().all(|mode| mode & 0o001 != 0) { 0o007 } else { 0 };
    file & (group | others)
}

const READABLE: &str = "other accounts of this machine can read or change this file";

const READ_OR_WRITE: u32 = 0o066;
const GROUP_READ: u32 = 0o040;
const WRITE: u32 = 0o022;

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::config::yaml::{Source, node};

    #[test]
    fn the_group_of_a_setgid_folder_may_read_secrets_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client-secret.txt");
        std::fs::write(&path, "s3cret").unwrap();
        // Where the temporary folder is, everybody passes.
        for (folder_mode, mode, advice) in [
            (0o2755, 0o640, None),
            (0o2755, 0o660, Some("`chmod g=r,o=`")),
            (0o2755, 0o644, Some("`chmod g=r,o=`")),
            (0o755, 0o640, Some("`chmod go=`")),
            (0o2750, 0o644, None),
            (0o2755, 0o600, None),
        ] {
            set_permissions(folder.path(), Permissions::from_mode(folder_mode)).unwrap();
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let source = Source::new(Path::new("proxy.yaml"), "{}");
            let mut report = Report::new(source, &node::parse("{}").unwrap());
            check_permissions(&path, Protection::Secret, None, &mut report);
            let warnings = report.finish().to_string();
            assert_eq!(warnings.contains("chmod"), advice.is_some(), "{folder_mode:o} {mode:o}: {warnings}");
            assert!(advice.is_none_or(|advice| warnings.contains(advice)), "{warnings}");
        }
    }

    #[test]
    fn only_accounts_that_reach_the_folder_count() {
        for (file, folders, open) in [
            (0o100_644, &[0o40755, 0o40755][..], 0o044),
            (0o100_644, &[0o40700, 0o40755], 0),
            (0o100_644, &[0o40750, 0o40755], 0o040),
            (0o100_666, &[0o40711, 0o41777], 0o066),
            (0o100_600, &[0o40755], 0),
        ] {
            assert_eq!(reachable(file, folders), open, "{file:o} {folders:?}");
        }
    }
}
