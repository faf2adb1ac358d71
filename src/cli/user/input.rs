//! Reads the password or API key of a user.

use crate::cli::common::{Failure, Purpose, read_secret};
use crate::secret::Secret;

/// Reads a password or API key of 1 to [`MAX_BYTES`] bytes; `what` names it.
pub fn read(what: &str, from_stdin: bool, purpose: Purpose) -> Result<Secret, Failure> {
    read_secret(what, from_stdin, purpose, MAX_BYTES)
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

/// The longest password or API key, in bytes.
const MAX_BYTES: usize = 1024;

/// The shortest API key that somebody else has made, in bytes.
const MIN_KEY_BYTES: usize = 16;
