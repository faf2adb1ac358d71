//! Asks for a secret on the terminal, or reads it from standard input.

use std::io::{BufRead, IsTerminal, Read};

use dialoguer::Password;
use zeroize::Zeroizing;

use crate::cli::common::Failure;
use crate::secret::Secret;
use crate::small_file;

/// What a secret is needed for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To store it or its hash. A typed one is asked for twice.
    Set,
    /// To compare it with a stored one.
    Check,
}

/// Reads a secret of 1 to `max_bytes` bytes; `what` names it.
pub fn read(what: &str, from_stdin: bool, purpose: Purpose, max_bytes: usize) -> Result<Secret, Failure> {
    let secret = if from_stdin { first_line(what, max_bytes)? } else { ask(what, purpose)? };
    match secret.expose().len() {
        0 => {
            Err(Failure::Configuration(format!("The {what} is empty. Write it into the first line of standard input.")))
        }
        length if length <= max_bytes => Ok(secret),
        _ => Err(too_long(what, max_bytes)),
    }
}

fn ask(what: &str, purpose: Purpose) -> Result<Secret, Failure> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(Failure::Configuration(format!(
            "bcproxy asks for the {what}, but standard input or standard error is not a terminal. Add --stdin to read it \
             from the first line of standard input."
        )));
    }
    let mut question = Password::new().with_prompt(format!("Enter the {what}"));
    if purpose == Purpose::Set {
        question =
            question.with_confirmation(format!("Enter the {what} again"), "The two differ. Enter it twice again.");
    }
    Ok(Secret::new(question.interact()?))
}

/// The first line of standard input without its end.
fn first_line(what: &str, max_bytes: usize) -> Result<Secret, Failure> {
    // The longest line has a byte-order mark, the secret and a line end of Windows.
    let max_line = 3 + max_bytes + 2;
    // Allocated in full: growing would leave copies of the secret behind.
    let mut line = Zeroizing::new(Vec::with_capacity(max_line + 1));
    let read = std::io::stdin().lock().take(max_line as u64 + 1).read_until(b'\n', &mut line);
    read.map_err(|error| Failure::Failed(format!("Reading standard input failed: {error}.")))?;
    if line.len() > max_line {
        return Err(too_long(what, max_bytes));
    }
    let line = small_file::to_utf8(line);
    let text = small_file::text(&line).ok_or_else(|| {
        Failure::Configuration(format!("The {what} on standard input is not UTF-8 text. Send it as UTF-8."))
    })?;
    let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    Ok(Secret::new(text.to_owned()))
}

fn too_long(what: &str, max_bytes: usize) -> Failure {
    Failure::Configuration(format!("The {what} is longer than {max_bytes} bytes. Use a shorter one."))
}
