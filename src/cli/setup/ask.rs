//! Questions and what is said between them: on a terminal, or not at all.

use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal};
use std::str::FromStr;

use dialoguer::{Confirm, Input, Password, Select};
use zeroize::Zeroizing;

use crate::cli::Failure;
use crate::doctor::Wrong;

/// Whom to ask.
pub struct Ask {
    is_interactive: bool,
}

impl Ask {
    pub fn new(non_interactive: bool) -> Result<Self, Failure> {
        if !non_interactive && !std::io::stdin().is_terminal() {
            let text = "bcproxy setup asks on a terminal, and this is none; give everything as options and add --non-interactive \
                        (bcproxy setup --help lists them).";
            return Err(Failure::Configuration(text.to_owned()));
        }
        Ok(Self { is_interactive: !non_interactive })
    }

    pub fn is_interactive(&self) -> bool {
        self.is_interactive
    }

    /// A value, asked for again until it can be one.
    pub fn value<T: FromStr<Err: Display>>(
        &self,
        prompt: &str,
        option: &str,
        initial: Option<&str>,
    ) -> Result<T, Failure> {
        self.expect_interactive(option)?;
        loop {
            let mut input = Input::<String>::new().with_prompt(prompt);
            if let Some(initial) = initial {
                input = input.default(initial.to_owned());
            }
            let text = input.interact_text().map_err(|error| ended(&error))?;
            match text.trim().parse() {
                Ok(value) => return Ok(value),
                Err(reason) => println!("  ✗ {reason}"),
            }
        }
    }

    /// Something that is not shown while it is typed.
    pub fn hidden(&self, prompt: &str, option: &str) -> Result<Zeroizing<String>, Failure> {
        self.expect_interactive(option)?;
        let typed = Zeroizing::new(Password::new().with_prompt(prompt).interact().map_err(|error| ended(&error))?);
        Ok(Zeroizing::new(typed.trim().to_owned()))
    }

    /// Yes or no; `otherwise` where nobody can be asked.
    pub fn confirm(&self, question: &str, default: bool, otherwise: bool) -> Result<bool, Failure> {
        if !self.is_interactive {
            return Ok(otherwise);
        }
        Confirm::new().with_prompt(question).default(default).interact().map_err(|error| ended(&error))
    }

    /// The index of the item that was chosen.
    pub fn choose(&self, prompt: &str, option: &str, items: &[String]) -> Result<usize, Failure> {
        self.expect_interactive(option)?;
        Select::new().with_prompt(prompt).items(items).default(0).interact().map_err(|error| ended(&error))
    }

    /// Says what is wrong. Without anybody to ask again it ends the command.
    pub fn wrong(&self, wrong: &Wrong) -> Result<(), Failure> {
        if !self.is_interactive {
            return Err(Failure::Failed(wrong.to_string()));
        }
        println!("  ✗ {}.\n  → {}", wrong.what, wrong.fix);
        Ok(())
    }

    fn expect_interactive(&self, option: &str) -> Result<(), Failure> {
        if self.is_interactive {
            return Ok(());
        }
        Err(Failure::Configuration(format!("With --non-interactive, {option} is needed.")))
    }
}

fn ended(error: &dialoguer::Error) -> Failure {
    // Ctrl-C reaches the terminal's reader as well as the listener for it; whoever is first says the same.
    let dialoguer::Error::IO(cause) = error;
    if cause.kind() == ErrorKind::Interrupted {
        return Failure::Failed("Stopped; nothing was written.".to_owned());
    }
    Failure::Failed(format!("Nothing was written: the question was not answered ({error})."))
}
