//! Secrets, and the sources they are read from.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use uuid::Uuid;
use zeroize::Zeroizing;

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
    /// The value itself: typed on a terminal, or part of a URL in an environment variable.
    Given(Secret),
}

/// A program that prints a secret, run without a shell.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SecretCommand {
    /// The program and its arguments. Never empty.
    pub argv: Vec<String>,
    /// The environment variables that the program does not get: they hold other secrets.
    pub hidden_variables: Vec<String>,
}

/// The value of a secret. It is zeroed on drop and never printed.
#[derive(Clone)]
pub struct Secret {
    value: SecretString,
    is_trimmed: bool,
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
    #[error("it printed nothing; run it by hand under bcproxy's account")]
    NoOutput,
    #[error("it is not UTF-8 text of at most {MAX_SECRET_BYTES} bytes; store only the value there")]
    NotText,
    #[error("it can't be started ({0}); check the program's path")]
    NotStarted(io::Error),
    #[error("it failed ({0}); run it by hand under bcproxy's account")]
    Failed(ExitStatus),
    #[error("it did not finish within {} s; run it by hand under bcproxy's account", COMMAND_TIMEOUT.as_secs())]
    TimedOut,
}

impl Secret {
    /// Wraps a value.
    pub fn new(value: String) -> Self {
        Self { value: SecretString::from(value), is_trimmed: false }
    }

    /// The value. Use it only to build the request that needs it.
    pub fn expose(&self) -> &str {
        self.value.expose_secret()
    }

    /// Whether white space around the value was ignored.
    pub fn is_trimmed(&self) -> bool {
        self.is_trimmed
    }

    /// Whether the value is a GUID. A GUID is a secret's ID, which people often copy instead of its value.
    pub fn is_guid(&self) -> bool {
        Uuid::try_parse(self.expose()).is_ok()
    }
}

impl SecretSource {
    /// The environment variable that holds the secret.
    pub fn variable(&self) -> Option<&str> {
        match self {
            Self::Env(name) => Some(name),
            _ => None,
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
            Self::Command(command) => run(command).await,
            Self::Given(secret) => return Ok(secret.clone()),
        };
        let secret = bytes.and_then(|bytes| parse(&bytes)).map_err(|problem| match (self, problem) {
            (Self::Command(_), SecretProblem::Empty) => SecretProblem::NoOutput,
            (_, problem) => problem,
        });
        secret.map_err(|problem| SecretError { what, source_name: self.to_string(), problem })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}

impl Hash for Secret {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.expose().hash(state);
    }
}

impl fmt::Display for SecretSource {
    /// Leaves out the arguments of a command, which may be confidential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Command(command) => write!(f, "command {}", command.argv.first().map_or("", String::as_str)),
            Self::Given(_) => f.write_str("input"),
        }
    }
}

/// Reads a file that holds a secret, up to one byte beyond the size limit, converted to UTF-8.
pub async fn read_file(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    read_bounded(tokio::fs::File::open(path).await?).await
}

async fn run(command: &SecretCommand) -> Result<Zeroizing<Vec<u8>>, SecretProblem> {
    let mut child = start(command).map_err(SecretProblem::NotStarted)?;
    let output = child.stdout.take();
    let finish = async {
        let bytes = match output {
            Some(output) => read_bounded(output).await.map_err(SecretProblem::Unreadable)?,
            None => Zeroizing::default(),
        };
        let status = child.wait().await.map_err(SecretProblem::Unreadable)?;
        if status.success() { Ok(bytes) } else { Err(SecretProblem::Failed(status)) }
    };
    tokio::time::timeout(COMMAND_TIMEOUT, finish).await.unwrap_or(Err(SecretProblem::TimedOut))
}

fn start(SecretCommand { argv, hidden_variables }: &SecretCommand) -> io::Result<Child> {
    let executable = argv.first().map_or("", String::as_str);
    let spawn = |executable: &str| {
        let mut command = Command::new(executable);
        for name in hidden_variables {
            command.env_remove(name);
        }
        command.args(argv.iter().skip(1)).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.kill_on_drop(true).spawn()
    };
    match spawn(executable) {
        // Many Windows tools, such as `az`, are batch files, which a terminal finds without their extension.
        Err(error) if cfg!(windows) && error.kind() == io::ErrorKind::NotFound => {
            spawn(&format!("{executable}.cmd")).or_else(|_| spawn(&format!("{executable}.bat"))).map_err(|_| error)
        }
        started => started,
    }
}

/// Reads up to one byte beyond the size limit, to detect a longer secret, converted to UTF-8.
async fn read_bounded(source: impl tokio::io::AsyncRead + Unpin) -> io::Result<Zeroizing<Vec<u8>>> {
    // Allocated in full: growing would leave copies of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_SECRET_BYTES + 1));
    source.take(MAX_SECRET_BYTES as u64 + 1).read_to_end(&mut bytes).await?;
    Ok(small_file::to_utf8(bytes))
}

fn parse(bytes: &[u8]) -> Result<Secret, SecretProblem> {
    let text = small_file::text(bytes).ok_or(SecretProblem::NotText)?;
    let trimmed = text.trim();
    match trimmed.len() {
        0 => Err(SecretProblem::Empty),
        1..=MAX_SECRET_BYTES => {
            Ok(Secret { is_trimmed: trimmed.len() != text.len(), ..Secret::new(trimmed.to_owned()) })
        }
        _ => Err(SecretProblem::NotText),
    }
}

/// Entra's secrets have 40 characters. Tokens, keys and certificates with their chain have some thousand.
const MAX_SECRET_BYTES: usize = 64 * 1024;

/// A vault's command may need the network.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

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
            SecretProblem::Failed(_)
        ));
        assert!(matches!(
            command(&["/no/such"]).read("client secret").await.unwrap_err().problem,
            SecretProblem::NotStarted(_)
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

    #[test]
    fn a_secret_is_never_printed() {
        assert_eq!(format!("{:?}", Secret::new("hunter2".into())), "Secret(…)");
    }
}
