//! The output of a program as a secret.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};
use zeroize::Zeroizing;

use super::content::read_bounded;

/// A program that prints a secret, run without a shell.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SecretCommand {
    /// The program and its arguments. Never empty.
    pub argv: Vec<String>,
    /// The environment variables that the program does not get: they hold other secrets.
    pub hidden_variables: Vec<String>,
}

/// Why a program gave no secret.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error("it can't be started ({0}); check the program's path")]
    NotStarted(io::Error),
    #[error("its output can't be read ({0}); run it by hand under bcproxy's account")]
    Unreadable(io::Error),
    #[error("it failed ({0}); run it by hand under bcproxy's account")]
    Failed(ExitStatus),
    #[error("it did not finish within {} s; run it by hand under bcproxy's account", COMMAND_TIMEOUT.as_secs())]
    TimedOut,
    #[error("it printed nothing; run it by hand under bcproxy's account")]
    NoOutput,
}

impl SecretCommand {
    /// The executable without its arguments, which may be confidential.
    pub fn executable(&self) -> &str {
        self.argv.first().map_or("", String::as_str)
    }

    /// Runs the program and returns its output, which is not only white space.
    pub async fn run(&self) -> Result<Zeroizing<Vec<u8>>, CommandError> {
        let mut child = self.start().map_err(CommandError::NotStarted)?;
        let output = child.stdout.take();
        let finish = async {
            let bytes = match output {
                Some(output) => read_bounded(output).await.map_err(CommandError::Unreadable)?,
                None => Zeroizing::default(),
            };
            let status = child.wait().await.map_err(CommandError::Unreadable)?;
            match status.success() {
                true if bytes.trim_ascii().is_empty() => Err(CommandError::NoOutput),
                true => Ok(bytes),
                false => Err(CommandError::Failed(status)),
            }
        };
        tokio::time::timeout(COMMAND_TIMEOUT, finish).await.unwrap_or(Err(CommandError::TimedOut))
    }

    fn start(&self) -> io::Result<Child> {
        let spawn = |executable: &str| {
            let mut command = Command::new(executable);
            for name in &self.hidden_variables {
                command.env_remove(name);
            }
            command.args(self.argv.iter().skip(1)).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
            command.kill_on_drop(true).spawn()
        };
        let executable = self.executable();
        match spawn(executable) {
            // Many Windows tools, such as `az`, are batch files, which a terminal finds without their extension.
            Err(error) if cfg!(windows) && error.kind() == io::ErrorKind::NotFound => {
                spawn(&format!("{executable}.cmd")).or_else(|_| spawn(&format!("{executable}.bat"))).map_err(|_| error)
            }
            started => started,
        }
    }
}

/// A vault's command may need the network.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
