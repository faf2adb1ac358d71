//! The kinds of sources of secrets, and reading one.

use std::fmt;
use std::io;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::command::{CommandError, SecretCommand};
use super::content::{MAX_SECRET_BYTES, read_file};
use super::store::{StoreError, WindowsSecret};
use super::value::Secret;
use crate::small_file;

/// Where a secret is. What is stored is read again before each use, so a rotation needs no restart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SecretSource {
    /// The environment variable of this name.
    Env(String),
    /// A file. White space around the secret is ignored.
    File(PathBuf),
    /// A program. Its standard output, trimmed, is the secret.
    Command(SecretCommand),
    /// A file that Windows has encrypted for this machine.
    Windows(WindowsSecret),
    /// The value itself: typed on a terminal, or part of a URL in an environment variable.
    Given(Secret),
}

/// Why a secret can't be read. The message names the source, never a value.
#[derive(Debug, thiserror::Error)]
#[error("the {what} can't be read from the {source_name}: {problem}")]
pub struct SecretError {
    what: &'static str,
    source_name: String,
    problem: SecretProblem,
}

#[derive(Debug, thiserror::Error)]
enum SecretProblem {
    #[error("it is not set; set it for the account bcproxy runs under")]
    NotSet,
    #[error("it can't be read ({0}); check the path, and that the account bcproxy runs under may read it")]
    Unreadable(io::Error),
    #[error("it is empty; store the value there")]
    Empty,
    #[error("it is not UTF-8 text of at most {MAX_SECRET_BYTES} bytes; store only the value there")]
    NotText,
    #[error("{0}")]
    Command(#[from] CommandError),
    #[error("{0}")]
    Store(#[from] StoreError),
}

impl SecretSource {
    /// The environment variable that holds the secret.
    pub fn variable(&self) -> Option<&str> {
        match self {
            Self::Env(name) => Some(name),
            _ => None,
        }
    }

    /// The file that holds the secret.
    pub fn path(&self) -> Option<PathBuf> {
        match self {
            Self::File(path) => Some(path.clone()),
            Self::Windows(secret) => Some(secret.path()),
            Self::Env(_) | Self::Command(_) | Self::Given(_) => None,
        }
    }

    /// The same source. A command does not get these environment variables.
    pub fn hiding(mut self, variables: &[String]) -> Self {
        if let Self::Command(command) = &mut self {
            command.hidden_variables = variables.to_vec();
        }
        self
    }

    /// Reads the secret. `what` names it in messages.
    pub async fn read(&self, what: &'static str) -> Result<Secret, SecretError> {
        let bytes = match self {
            Self::Env(name) => std::env::var_os(name)
                .map(|value| Zeroizing::new(value.into_encoded_bytes()))
                .ok_or(SecretProblem::NotSet),
            Self::File(path) => read_file(path).await.map_err(SecretProblem::Unreadable),
            Self::Command(command) => command.run().await.map_err(SecretProblem::Command),
            Self::Windows(secret) => read_stored(secret.clone()).await,
            Self::Given(secret) => return Ok(secret.clone()),
        };
        let secret = bytes.and_then(|bytes| parse(&bytes));
        secret.map_err(|problem| SecretError { what, source_name: self.to_string(), problem })
    }
}

impl fmt::Display for SecretSource {
    /// Leaves out the arguments of a command, which may be confidential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Command(command) => write!(f, "command {}", command.executable()),
            Self::Windows(secret) => write!(f, "stored secret {}", secret.name),
            Self::Given(_) => f.write_str("input"),
        }
    }
}

/// Reads and decrypts a file, on a thread of its own: Windows asks another process for the key.
async fn read_stored(secret: WindowsSecret) -> Result<Zeroizing<Vec<u8>>, SecretProblem> {
    let read = tokio::task::spawn_blocking(move || secret.read()).await;
    Ok(read.map_err(|error| SecretProblem::Unreadable(error.into()))??)
}

fn parse(bytes: &[u8]) -> Result<Secret, SecretProblem> {
    let secret = Secret::trimmed(small_file::text(bytes).ok_or(SecretProblem::NotText)?);
    match secret.expose().len() {
        0 => Err(SecretProblem::Empty),
        1..=MAX_SECRET_BYTES => Ok(secret),
        _ => Err(SecretProblem::NotText),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SecretStore;

    #[tokio::test]
    async fn a_file_is_read_without_what_an_editor_adds() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "\u{feff}s3cret~\r\n").unwrap();
        let source = SecretSource::File(file.path().to_owned());
        let secret = source.read("client secret").await.unwrap();
        assert_eq!((secret.expose(), secret.is_trimmed()), ("s3cret~", true));

        let as_powershell_writes = "\u{feff}s3cret~\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        std::fs::write(file.path(), as_powershell_writes).unwrap();
        assert_eq!(source.read("client secret").await.unwrap().expose(), "s3cret~");

        std::fs::write(file.path(), " \n").unwrap();
        assert!(
            source.read("client secret").await.unwrap_err().to_string().ends_with("it is empty; store the value there")
        );

        std::fs::write(file.path(), "x".repeat(MAX_SECRET_BYTES + 1)).unwrap();
        assert!(matches!(source.read("client secret").await.unwrap_err().problem, SecretProblem::NotText));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_commands_output_is_the_secret() {
        let command = |argv: &[&str]| {
            let argv = argv.iter().map(|&word| word.to_owned()).collect();
            SecretSource::Command(SecretCommand { argv, hidden_variables: Vec::new() })
        };
        assert_eq!(command(&["printf", "%s\n", "s3cret"]).read("client secret").await.unwrap().expose(), "s3cret");
        let no_output = command(&["true"]).read("client secret").await.unwrap_err().to_string();
        assert_eq!(
            no_output,
            "the client secret can't be read from the command true: it printed nothing; run it by hand under bcproxy's account"
        );
        assert!(matches!(
            command(&["false"]).read("client secret").await.unwrap_err().problem,
            SecretProblem::Command(CommandError::Failed(_))
        ));
        assert!(matches!(
            command(&["/no/such"]).read("client secret").await.unwrap_err().problem,
            SecretProblem::Command(CommandError::NotStarted(_))
        ));
    }

    #[cfg(windows)]
    #[tokio::test]
    async fn a_batch_file_is_found_without_its_extension_as_in_a_terminal() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("vault.cmd"), "@echo s3cret\r\n").unwrap();
        let argv = vec![folder.path().join("vault").display().to_string()];
        let command = SecretSource::Command(SecretCommand { argv, hidden_variables: Vec::new() });
        assert_eq!(command.read("client secret").await.unwrap().expose(), "s3cret");
    }

    #[tokio::test]
    async fn a_missing_variable_is_named() {
        let error = SecretSource::Env("BCPROXY_NOT_SET".into()).read("client secret").await.unwrap_err();
        assert!(error.to_string().contains("environment variable BCPROXY_NOT_SET: it is not set"));
    }

    #[tokio::test]
    async fn a_stored_secret_that_is_missing_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let store = SecretStore::of_configuration(&folder.path().join("proxy.yaml"));
        let source = SecretSource::Windows(WindowsSecret { store, name: "bc".parse().unwrap() });
        let error = source.read("client secret").await.unwrap_err().to_string();
        assert!(error.starts_with("the client secret can't be read from the stored secret bc: there is no file "));
        assert!(error.ends_with("bc.dpapi; run `bcproxy service secret set bc`"), "{error}");
    }

    #[cfg(windows)]
    #[tokio::test]
    async fn a_stored_secret_is_decrypted() {
        let folder = tempfile::tempdir().unwrap();
        let store = SecretStore::of_configuration(&folder.path().join("proxy.yaml"));
        std::fs::create_dir(store.folder()).unwrap();
        let name = "bc".parse().unwrap();
        store.write(&name, &Secret::new("s3cret~".to_owned()), &crate::secret::ThisMachine).unwrap();
        let source = SecretSource::Windows(WindowsSecret { store, name });
        assert_eq!(source.read("client secret").await.unwrap().expose(), "s3cret~");
    }
}
