//! Asks for a password or API key on the terminal, or reads it from standard input.

use std::io::{BufRead, IsTerminal, Read};

use dialoguer::Password;
use zeroize::Zeroizing;

use crate::cli::common::Failure;
use crate::secret::Secret;
use crate::small_file;

/// What a password or API key is needed for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To store its hash. A typed one is asked for twice.
    Set,
    /// To compare it with a stored hash.
    Check,
}

/// Reads a password or API key of 1 to [`MAX_BYTES`] bytes; `what` names it.
pub fn read(what: &str, from_stdin: bool, purpose: Purpose) -> Result<Secret, Failure> {
    let secret = if from_stdin { first_line(what)? } else { ask(what, purpose)? };
    match secret.expose().len() {
        0 => {
            Err(Failure::Configuration(format!("The {what} is empty. Write it into the first line of standard input.")))
        }
        1..=MAX_BYTES => Ok(secret),
        _ => Err(too_long(what)),
    }
}

/// Reads the API key that clients already send.
///
/// Its hash is fast, so a short one could be guessed from the file. A client sends it as a header's value.
pub fn existing_api_key() -> Result<Secret, Failure> {
    let key = read("API key", true, Purpose::Set)?;
    let text = key.expose();
    let problem = if text.len() < MIN_KEY_BYTES {
        format!(
            "The API key is shorter than {MIN_KEY_BYTES} characters. Its hash is fast to compute, so whoever reads the \
             file could guess a short key. Use a longer key, or leave out --stdin to create one."
        )
    } else if text.trim() != text || text.bytes().any(|byte| !(b' '..=b'~').contains(&byte)) {
        "The API key is not one that a header can carry. Use ASCII characters, without a space at either end."
            .to_owned()
    } else {
        return Ok(key);
    };
    Err(Failure::Configuration(problem))
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
fn first_line(what: &str) -> Result<Secret, Failure> {
    // Allocated in full: growing would leave copies of the secret behind.
    let mut line = Zeroizing::new(Vec::with_capacity(MAX_LINE_BYTES + 1));
    let read = std::io::stdin().lock().take(MAX_LINE_BYTES as u64 + 1).read_until(b'\n', &mut line);
    read.map_err(|error| Failure::Failed(format!("Reading standard input failed: {error}.")))?;
    if line.len() > MAX_LINE_BYTES {
        return Err(too_long(what));
    }
    let line = small_file::to_utf8(line);
    let text = small_file::text(&line).ok_or_else(|| {
        Failure::Configuration(format!("The {what} on standard input is not UTF-8 text. Send it as UTF-8."))
    })?;
    let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    Ok(Secret::new(text.to_owned()))
}

fn too_long(what: &str) -> Failure {
    Failure::Configuration(format!("The {what} is longer than {MAX_BYTES} bytes. Use a shorter one."))
}

/// The longest password or API key, in bytes.
const MAX_BYTES: usize = 1024;

/// The longest line, in bytes: a byte-order mark, the password and a line end of Windows.
const MAX_LINE_BYTES: usize = 3 + MAX_BYTES + 2;

/// The shortest API key that somebody else has made, in bytes.
const MIN_KEY_BYTES: usize = 16;
