//! How a command ends: the format of its output, or the reason for a non-zero exit code.

use std::process::ExitCode;

use anstream::eprintln;
use clap::ValueEnum;

use crate::doctor::Wrong;

/// The format of a command's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Output {
    #[default]
    Text,
    Json,
}

/// The reason a command ended without doing its job, as the message for standard error.
///
/// An empty message means that the command has already printed everything.
pub enum Failure {
    /// The configuration or the arguments need a change: exit code 2.
    Configuration(String),
    /// Everything else: exit code 1.
    Failed(String),
}

impl Failure {
    /// A failed set-up step of this connector.
    pub fn of_connector(connector: &str, wrong: &Wrong) -> Self {
        Self::Failed(format!("connector {connector}: {wrong}"))
    }

    /// The message and the exit code.
    pub fn parts(self) -> (String, u8) {
        match self {
            Self::Configuration(text) => (text, 2),
            Self::Failed(text) => (text, 1),
        }
    }

    /// Prints the message and returns the exit code.
    pub fn report(self) -> ExitCode {
        let (text, code) = self.parts();
        if !text.is_empty() {
            eprintln!("{}", text.trim_end());
        }
        ExitCode::from(code)
    }
}

/// Text from outside without control characters, which a terminal would execute.
pub fn printable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).collect()
}
