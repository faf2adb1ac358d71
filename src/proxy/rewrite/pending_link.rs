//! A value that may be a link: checked by its prefix, and buffered until its end.

use super::enclosure::{Content, Enclosure};
use super::escape_sequence::UnitError;

/// The maximum length of a link that is rewritten, in bytes as written in the document.
pub const MAX_LINK_BYTES: usize = 64 * 1024;

/// A value that may be a link and is read piece by piece.
#[derive(Debug)]
pub struct PendingLink {
    pub enclosure: Enclosure,
    is_link: bool,
    /// The value does not end before this position. It is one past the bytes read if the last byte escapes the next.
    searched: usize,
}

/// The result of checking the bytes of a value read so far.
#[derive(Debug, PartialEq, Eq)]
pub enum LinkCheck {
    /// More bytes are needed.
    Incomplete,
    NotALink,
    /// The value is a link and ends before this position.
    EndsAt(usize),
}

impl PendingLink {
    pub fn new(enclosure: Enclosure) -> Self {
        Self { enclosure, is_link: false, searched: 0 }
    }

    /// Checks the value. `value` starts with its first byte, grows with each call and may extend beyond its end.
    ///
    /// The result does not depend on where the value was cut.
    pub fn check(&mut self, value: &[u8], prefixes: &[String]) -> LinkCheck {
        if !self.is_link {
            match has_prefix(self.enclosure, value, prefixes) {
                Ok(true) => self.is_link = true,
                Ok(false) => return LinkCheck::NotALink,
                Err(NeedsMore) => return LinkCheck::Incomplete,
            }
        }
        match self.enclosure.find_end(value.get(..=MAX_LINK_BYTES).unwrap_or(value), &mut self.searched) {
            Some(end) => LinkCheck::EndsAt(end),
            None if value.len() > MAX_LINK_BYTES => LinkCheck::NotALink,
            None => LinkCheck::Incomplete,
        }
    }
}

struct NeedsMore;

/// Whether the value starts with one of these prefixes and its authority ends there. Units and prefixes are short, so
/// few bytes are needed.
fn has_prefix(enclosure: Enclosure, value: &[u8], prefixes: &[String]) -> Result<bool, NeedsMore> {
    // The common case: unescaped and in lowercase.
    let is_plain =
        |prefix: &&String| value.strip_prefix(prefix.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'/'));
    if prefixes.iter().any(|prefix| is_plain(&prefix)) {
        return Ok(true);
    }
    let mut needs_more = false;
    for prefix in prefixes {
        match has_escaped_prefix(enclosure, value, prefix) {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(NeedsMore) => needs_more = true,
        }
    }
    if needs_more { Err(NeedsMore) } else { Ok(false) }
}

fn has_escaped_prefix(enclosure: Enclosure, mut value: &[u8], prefix: &str) -> Result<bool, NeedsMore> {
    let mut next = || match enclosure.unit(value) {
        Ok(unit) => {
            value = value.get(unit.length..).unwrap_or_default();
            Ok(Some(unit.content))
        }
        Err(UnitError::EndOfValue | UnitError::Invalid) => Ok(None),
        Err(UnitError::Incomplete) => Err(NeedsMore),
    };
    for &byte in prefix.as_bytes() {
        if !next()?.is_some_and(|content| content.is(byte)) {
            return Ok(false);
        }
    }
    let mut after = next()?;
    if after.is_some_and(|content| content.is(b':')) {
        // The default port may be explicit.
        for expected in b"443" {
            if !next()?.is_some_and(|content| content.is(*expected)) {
                return Ok(false);
            }
        }
        after = next()?;
    }
    Ok(after.is_none_or(|content: Content| b"/?#".iter().any(|&byte| content.is(byte))))
}
