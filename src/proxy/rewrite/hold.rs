//! An address under way: judged by its beginning, held until its end.

use super::escape::{Content, Enclosure, Fault};

/// The longest address that is replaced, in bytes as it stands in the document; a longer one stays as it is.
pub const LONGEST: usize = 64 * 1024;

/// The beginning of a value, in whose place an address may stand.
#[derive(Debug)]
pub struct Hold {
    pub enclosure: Enclosure,
    is_address: bool,
    /// Before this position the value doesn't end. One past what is known when the last byte known escapes the next.
    searched: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// More of the value is needed.
    Unknown,
    NoAddress,
    /// The value is an address, and ends before this position.
    EndsAt(usize),
}

impl Hold {
    pub fn new(enclosure: Enclosure) -> Self {
        Self { enclosure, is_address: false, searched: 0 }
    }

    /// Judges the value by all that is known of it, from its first byte on; more each time, and maybe more than it.
    ///
    /// The verdict doesn't depend on how the value was cut.
    pub fn judge(&mut self, value: &[u8], beginnings: &[String]) -> Verdict {
        if !self.is_address {
            match begins(self.enclosure, value, beginnings) {
                Ok(is_address) => self.is_address = is_address,
                Err(NeedsMore) => return Verdict::Unknown,
            }
        }
        if !self.is_address {
            return Verdict::NoAddress;
        }
        match self.enclosure.find_end(value.get(..=LONGEST).unwrap_or(value), &mut self.searched) {
            Some(end) => Verdict::EndsAt(end),
            None if value.len() > LONGEST => Verdict::NoAddress,
            None => Verdict::Unknown,
        }
    }
}

struct NeedsMore;

/// Whether the value begins with one of these, and the authority ends there. Units and beginnings are short, so that this is soon
/// known.
fn begins(enclosure: Enclosure, value: &[u8], beginnings: &[String]) -> Result<bool, NeedsMore> {
    // As it nearly always is: neither escaped nor in capitals.
    let is_plain =
        |beginning: &&String| value.strip_prefix(beginning.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'/'));
    if beginnings.iter().any(|beginning| is_plain(&beginning)) {
        return Ok(true);
    }
    let mut needs_more = false;
    for beginning in beginnings {
        match begins_with(enclosure, value, beginning) {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(NeedsMore) => needs_more = true,
        }
    }
    if needs_more { Err(NeedsMore) } else { Ok(false) }
}

fn begins_with(enclosure: Enclosure, mut value: &[u8], beginning: &str) -> Result<bool, NeedsMore> {
    let mut next = || match enclosure.unit(value) {
        Ok(unit) => {
            value = value.get(unit.length..).unwrap_or_default();
            Ok(Some(unit.content))
        }
        Err(Fault::End | Fault::Broken) => Ok(None),
        Err(Fault::Cut) => Err(NeedsMore),
    };
    for &byte in beginning.as_bytes() {
        if !next()?.is_some_and(|content| content.is(byte)) {
            return Ok(false);
        }
    }
    let mut after = next()?;
    if after.is_some_and(|content| content.is(b':')) {
        // The port that goes without saying.
        for expected in b"443" {
            if !next()?.is_some_and(|content| content.is(*expected)) {
                return Ok(false);
            }
        }
        after = next()?;
    }
    Ok(after.is_none_or(|content: Content| b"/?#".iter().any(|&byte| content.is(byte))))
}
