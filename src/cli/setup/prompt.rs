//! Questions and errors on the terminal.

use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal};
use std::str::FromStr;

use dialoguer::{Confirm, Input, Password, Select};
use zeroize::Zeroizing;

use crate::cli::common::Failure;
use crate::doctor::Wrong;
use crate::secret::Secret;

/// The terminal, or its absence with `--non-interactive`.
pub struct Prompt {
    /// Whether it can ask questions.
    pub is_interactive: bool,
}

impl Prompt {
    /// Fails if questions are allowed but standard input is not a terminal.
    pub fn new(non_interactive: bool) -> Result<Self, Failure> {
        if !non_interactive && !std::io::stdin().is_terminal() {
            let text = "`bcproxy setup` asks questions, but standard input is not a terminal. Add --non-interactive and give all \
                        values as options (see `bcproxy setup --help`).";
            return Err(Failure::Configuration(text.to_owned()));
        }
        Ok(Self { is_interactive: !non_interactive })
    }

    /// Returns the given value, or asks for one until it is valid. `option` is the option that gives it.
    pub fn value<T: FromStr<Err: Display>>(
        &self,
        given: Option<T>,
        question: &str,
        option: &str,
        default: Option<&str>,
    ) -> Result<T, Failure> {
        if let Some(value) = given {
            return Ok(value);
        }
        self.require_interactive(option)?;
        loop {
            let mut input = Input::<String>::new().with_prompt(question);
            if let Some(default) = default {
                input = input.default(default.to_owned());
            }
            let text = input.interact_text()?;
            match text.trim().parse() {
                Ok(value) => return Ok(value),
                Err(reason) => println!("  ✗ {reason}"),
            }
        }
    }

    /// Asks for a value without showing it as it is typed.
    pub fn hidden(&self, question: &str, option: &str) -> Result<Secret, Failure> {
        self.require_interactive(option)?;
        let typed = Zeroizing::new(Password::new().with_prompt(question).interact()?);
        Ok(Secret::new(typed.trim().to_owned()))
    }

    /// Asks a yes-or-no question. Returns `non_interactive` if it can't ask.
    pub fn confirm(&self, question: &str, default: bool, non_interactive: bool) -> Result<bool, Failure> {
        if !self.is_interactive {
            return Ok(non_interactive);
        }
        Ok(Confirm::new().with_prompt(question).default(default).interact()?)
    }

    /// Offers a list and returns the index of the chosen item.
    pub fn choose(&self, question: &str, option: &str, items: &[String]) -> Result<usize, Failure> {
        self.require_interactive(option)?;
        Ok(Select::new().with_prompt(question).items(items).default(0).interact()?)
    }

    /// Shows what is wrong. If it can't ask for another value, this ends the command.
    pub fn show_error(&self, wrong: &Wrong) -> Result<(), Failure> {
        if !self.is_interactive {
            return Err(Failure::Failed(wrong.to_string()));
        }
        println!("  ✗ {}.\n  → {}\n  → bcproxy guide {}", wrong.what, wrong.fix, wrong.step.number());
        Ok(())
    }

    fn require_interactive(&self, option: &str) -> Result<(), Failure> {
        if self.is_interactive {
            return Ok(());
        }
        Err(Failure::Configuration(format!("--non-interactive requires {option}.")))
    }
}

impl From<dialoguer::Error> for Failure {
    /// A question without an answer.
    fn from(error: dialoguer::Error) -> Self {
        // Ctrl-C reaches both the terminal's reader and the handler; the message is the same.
        let dialoguer::Error::IO(cause) = &error;
        Self::Failed(match cause.kind() {
            ErrorKind::Interrupted => "Stopped. Nothing was written.".to_owned(),
            _ => format!("Nothing was written: reading the answer failed ({error})."),
        })
    }
}
