//! Questions and errors on the terminal.

use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal};
use std::str::FromStr;

use anstream::println;
use dialoguer::{Confirm, Input, Password, Select};

use crate::cli::common::Failure;
use crate::doctor::Wrong;
use crate::guide::clicks::Clicks;
use crate::secret::Secret;
use crate::sentence::ended;

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

    /// Says what to click or to know, before a question.
    pub fn explain(&self, text: &impl Display) {
        if self.is_interactive {
            println!("\n{}", indented(text));
        }
    }

    /// The same, when a question `is_asked` for the first time.
    pub fn explain_once(&self, is_asked: bool, clicks: &mut Option<Clicks>) {
        if let Some(clicks) = clicks.take_if(|_| is_asked) {
            self.explain(&clicks);
        }
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
            match parsed(&input.interact_text()?) {
                Ok(value) => return Ok(value),
                Err(reason) => println!("  ✗ {reason}"),
            }
        }
    }

    /// Asks for a value that may be left out. Returns `None` for an empty line, or if it can't ask.
    pub fn optional<T: FromStr<Err: Display>>(&self, question: &str) -> Result<Option<T>, Failure> {
        if !self.is_interactive {
            return Ok(None);
        }
        loop {
            let text = Input::<String>::new().with_prompt(question).allow_empty(true).interact_text()?;
            if text.trim().is_empty() {
                return Ok(None);
            }
            match parsed(&text) {
                Ok(value) => return Ok(Some(value)),
                Err(reason) => println!("  ✗ {reason}"),
            }
        }
    }

    /// Asks for a value without showing it as it is typed.
    pub fn hidden(&self, question: &str, option: &str) -> Result<Secret, Failure> {
        self.require_interactive(option)?;
        // An empty line is a mistake like others, which the caller reports.
        let typed = Password::new().with_prompt(question).allow_empty_password(true).interact()?;
        Ok(Secret::new(typed))
    }

    /// Asks a yes-or-no question. Returns `non_interactive` if it can't ask.
    pub fn confirm(&self, question: &str, default: bool, non_interactive: bool) -> Result<bool, Failure> {
        if !self.is_interactive {
            return Ok(non_interactive);
        }
        // Without waiting for the Enter key, that key would answer the next question.
        Ok(Confirm::new().with_prompt(question).default(default).wait_for_newline(true).interact()?)
    }

    /// Offers a list and returns the index of the chosen item.
    pub fn choose(&self, question: &str, option: &str, items: &[String]) -> Result<usize, Failure> {
        self.require_interactive(option)?;
        Ok(Select::new().with_prompt(question).items(items).default(0).interact()?)
    }

    /// Shows what is wrong. If it can't ask for another value, this ends the command.
    pub fn show_error(&self, wrong: &Wrong) -> Result<(), Failure> {
        if !self.is_interactive {
            return Err(Failure::Failed(format!("Nothing was written: {wrong}")));
        }
        println!("  ✗ {}\n  → {}\n  → bcproxy guide {}", ended(&wrong.what), wrong.fix, wrong.step.number());
        Ok(())
    }

    /// Shows what is wrong with the last answer. If it can't ask for another, this ends the command.
    pub fn show_failure(&self, failure: Failure) -> Result<(), Failure> {
        let (Failure::Configuration(text) | Failure::Failed(text)) = failure;
        if !self.is_interactive {
            return Err(Failure::Failed(format!("Nothing was written. {text}")));
        }
        println!("  ✗ {text}");
        Ok(())
    }

    fn require_interactive(&self, option: &str) -> Result<(), Failure> {
        if self.is_interactive {
            return Ok(());
        }
        Err(Failure::Configuration(format!("--non-interactive requires {option}.")))
    }
}

/// Several values in one line, separated by commas or blanks. Never empty.
pub struct Values<T>(pub Vec<T>);

impl<T: FromStr<Err: Display>> FromStr for Values<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words = text.split([',', ' ']).filter(|word| !word.is_empty());
        let values = words.map(|word| word.parse().map_err(|reason| format!("{word}: {reason}")));
        values.collect::<Result<Vec<T>, String>>().and_then(|values| match values.is_empty() {
            true => Err("write at least one value".to_owned()),
            false => Ok(Self(values)),
        })
    }
}

fn parsed<T: FromStr>(text: &str) -> Result<T, T::Err> {
    text.trim().parse()
}

/// The text with every line two columns to the right, as below a question.
pub fn indented(text: &impl Display) -> String {
    text.to_string().lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
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
