//! A secret, and the places it may be kept in.

use std::fmt;
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

/// Where a secret is kept. It is read again before every token request, so a rotated one needs no restart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SecretSource {
    /// An environment variable's name.
    Env(String),
    /// A file; surrounding white space is trimmed.
    File(PathBuf),
    /// A program and its arguments, run without a shell; its standard output, trimmed, is the secret. Never empty.
    Command(Vec<String>),
}

/// A secret's value: zeroed on drop, printable nowhere.
#[derive(Clone)]
pub struct Secret {
    value: SecretString,
    is_trimmed: bool,
}

/// Why a secret can't be had from its source. Names the source, never a value.
#[derive(Debug, thiserror::Error)]
#[error("the {what} can't be had from the {place}: {problem}")]
pub struct SecretError {
    what: &'static str,
    place: String,
    problem: SecretProblem,
}

#[derive(Debug, thiserror::Error)]
enum SecretProblem {
    #[error("it is not set; set it for the user that runs bcproxy")]
    NotSet,
    #[error("it can't be read ({0}); check the path and that the user who runs bcproxy may read it")]
    Unreadable(io::Error),
    #[error("it is empty; put the value there")]
    Empty,
    #[error("it printed nothing; run it by hand as the user who runs bcproxy")]
    Silent,
    #[error("it is no text (UTF-8) of at most {MAX_SECRET_BYTES} bytes; put only the value there")]
    NotText,
    #[error("it can't be started ({0}); check the program's path")]
    NotStarted(io::Error),
    #[error("it failed ({0}); run it by hand as the user who runs bcproxy")]
    Failed(ExitStatus),
    #[error("it did not end within {} s; run it by hand as the user who runs bcproxy", COMMAND_TIME.as_secs())]
    TooSlow,
}

impl Secret {
    pub fn new(value: String) -> Self {
        Self { value: SecretString::from(value), is_trimmed: false }
    }

    /// The value itself. Only for putting it into the request that needs it.
    pub fn expose(&self) -> &str {
        self.value.expose_secret()
    }

    /// Whether white space around it was left out.
    pub fn is_trimmed(&self) -> bool {
        self.is_trimmed
    }

    /// Whether it has the form of a GUID, as the ID of a secret has, which is often taken for its value.
    pub fn looks_like_an_id(&self) -> bool {
        Uuid::try_parse(self.expose()).is_ok()
    }
}

impl SecretSource {
    /// Reads the secret from where it is kept now. `what`: its name in messages.
    pub async fn read(&self, what: &'static str) -> Result<Secret, SecretError> {
        let bytes = match self {
            Self::Env(name) => std::env::var_os(name)
                .map(|value| Zeroizing::new(value.into_encoded_bytes()))
                .ok_or(SecretProblem::NotSet),
            Self::File(path) => read_file(path).await.map_err(SecretProblem::Unreadable),
            Self::Command(argv) => run(argv).await,
        };
        let secret = bytes.and_then(|bytes| parse(&bytes)).map_err(|problem| match (self, problem) {
            (Self::Command(_), SecretProblem::Empty) => SecretProblem::Silent,
            (_, problem) => problem,
        });
        secret.map_err(|problem| SecretError { what, place: self.to_string(), problem })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Display for SecretSource {
    /// A command's arguments are left out: they may hold what must not be shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Command(argv) => write!(f, "command {}", argv.first().map_or("", String::as_str)),
        }
    }
}

/// Reads a file that holds a secret, as far as one byte more than a secret may have; [in UTF-8](small_file::in_utf8).
pub async fn read_file(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    read_bounded(tokio::fs::File::open(path).await?).await
}

async fn run(argv: &[String]) -> Result<Zeroizing<Vec<u8>>, SecretProblem> {
    let mut child = start(argv).map_err(SecretProblem::NotStarted)?;
    let output = child.stdout.take();
    let finish = async {
        let bytes = match output {
            Some(output) => read_bounded(output).await.map_err(SecretProblem::Unreadable)?,
            None => Zeroizing::default(),
        };
        let status = child.wait().await.map_err(SecretProblem::Unreadable)?;
        if status.success() { Ok(bytes) } else { Err(SecretProblem::Failed(status)) }
    };
    tokio::time::timeout(COMMAND_TIME, finish).await.unwrap_or(Err(SecretProblem::TooSlow))
}

fn start(argv: &[String]) -> io::Result<Child> {
    let program = argv.first().map_or("", String::as_str);
    let spawn = |program: &str| {
        let mut command = Command::new(program);
        command.args(argv.iter().skip(1)).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.kill_on_drop(true).spawn()
    };
    match spawn(program) {
        // There much is a batch file, as `az` is, which a terminal finds by half its name.
        Err(error) if cfg!(windows) && error.kind() == io::ErrorKind::NotFound => {
            spawn(&format!("{program}.cmd")).or_else(|_| spawn(&format!("{program}.bat"))).map_err(|_| error)
        }
        started => started,
    }
}

/// Reads one byte more than a secret may have, so that a longer one is noticed; [in UTF-8](small_file::in_utf8).
async fn read_bounded(source: impl tokio::io::AsyncRead + Unpin) -> io::Result<Zeroizing<Vec<u8>>> {
    // The whole room at once: growing would leave copies of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_SECRET_BYTES + 1));
    source.take(MAX_SECRET_BYTES as u64 + 1).read_to_end(&mut bytes).await?;
    Ok(small_file::in_utf8(bytes))
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

/// Entra's own secrets have 40 characters; tokens, certificates with their chain, and keys have some thousand.
const MAX_SECRET_BYTES: usize = 64 * 1024;

/// A vault's command line may have to ask over the network.
const COMMAND_TIME: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_read_without_what_an_editor_added() {
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
            source.read("client secret").await.unwrap_err().to_string().ends_with("it is empty; put the value there")
        );

        std::fs::write(file.path(), "x".repeat(MAX_SECRET_BYTES + 1)).unwrap();
        assert!(matches!(source.read("client secret").await.unwrap_err().problem, SecretProblem::NotText));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_commands_output_is_the_secret() {
        let command = |argv: &[&str]| SecretSource::Command(argv.iter().map(|&word| word.to_owned()).collect());
        assert_eq!(command(&["printf", "%s\n", "s3cret"]).read("client secret").await.unwrap().expose(), "s3cret");
        let silent = command(&["true"]).read("client secret").await.unwrap_err().to_string();
        assert_eq!(
            silent,
            "the client secret can't be had from the command true: it printed nothing; run it by hand as the user who runs bcproxy"
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
    async fn a_batch_file_is_started_by_half_its_name_as_in_a_terminal() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("vault.cmd"), "@echo s3cret\r\n").unwrap();
        let command = SecretSource::Command(vec![folder.path().join("vault").display().to_string()]);
        assert_eq!(command.read("client secret").await.unwrap().expose(), "s3cret");
    }

    #[tokio::test]
    async fn a_missing_variable_is_named() {
        let error = SecretSource::Env("BCPROXY_NOT_SET".into()).read("client secret").await.unwrap_err();
        assert!(error.to_string().contains("environment variable BCPROXY_NOT_SET: it is not set"));
    }

    #[test]
    fn a_secret_prints_nothing_of_itself() {
        assert_eq!(format!("{:?}", Secret::new("hunter2".into())), "Secret(…)");
    }
}
