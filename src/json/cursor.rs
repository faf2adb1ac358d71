//! The cursor in a text: it reads what JSON is made of, one byte or eight bytes at a time.

use super::error::Reason;
use super::string::JsonString;

/// A place in a text, from which it is read.
#[derive(Debug)]
pub struct Cursor<'t> {
    text: &'t str,
    /// In bytes.
    pub position: usize,
}

// Always inlined: in a loop over thousands of names and values, the position stays in a register.
impl<'t> Cursor<'t> {
    /// A cursor at the beginning.
    pub fn new(text: &'t str) -> Self {
        Self { text, position: 0 }
    }

    #[inline(always)]
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.position).copied()
    }

    /// Skips white space. The byte behind it, which is not read yet.
    #[inline(always)]
    pub fn first_byte(&mut self) -> Option<u8> {
        loop {
            match self.byte() {
                // Before the others, since most bytes are above them.
                Some(byte @ b'!'..) => return Some(byte),
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.position += 1,
                other => return other,
            }
        }
    }

    #[inline(always)]
    pub fn name(&mut self) -> Result<JsonString<'t>, Reason> {
        if self.first_byte() != Some(b'"') {
            return Err(Reason::NoName);
        }
        let name = self.string()?;
        if self.first_byte() != Some(b':') {
            return Err(Reason::NoColon);
        }
        self.position += 1;
        Ok(name)
    }

    pub fn literal(&mut self, first: Option<u8>) -> Result<(), Reason> {
        let literal = match first {
            Some(b't') => "true",
            Some(b'f') => "false",
            Some(b'n') => "null",
            _ => return Err(Reason::NoValue),
        };
        for expected in literal.bytes() {
            if self.byte() != Some(expected) {
                return Err(Reason::NoLiteral);
            }
            self.position += 1;
        }
        Ok(())
    }

    #[inline(always)]
    pub fn number(&mut self) -> Result<(), Reason> {
        if self.byte() == Some(b'-') {
            self.position += 1;
        }
        if self.byte() == Some(b'0') {
            self.position += 1;
        } else {
            self.digits()?;
        }
        if self.byte() == Some(b'.') {
            self.position += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.position += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.position += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// One or more.
    #[inline(always)]
    fn digits(&mut self) -> Result<(), Reason> {
        let start = self.position;
        while let Some(b'0'..=b'9') = self.byte() {
            self.position += 1;
        }
        if self.position == start { Err(Reason::NoDigit) } else { Ok(()) }
    }

    #[inline(always)]
    pub fn string(&mut self) -> Result<JsonString<'t>, Reason> {
        let start = self.position;
        self.position += 1;
        self.skip_plain();
        let is_escaped = self.byte() != Some(b'"');
        if is_escaped {
            self.rest_of_string()?;
        }
        self.position += 1;
        Ok(JsonString::new(self.text, start, self.position, is_escaped))
    }

    /// What follows the first byte that is not plain.
    fn rest_of_string(&mut self) -> Result<(), Reason> {
        loop {
            match self.byte() {
                Some(b'"') => return Ok(()),
                Some(b'\\') => self.escape()?,
                Some(..=0x1f) => return Err(Reason::ControlCharacter),
                Some(_) => self.position += 1,
                None => return Err(Reason::Unfinished),
            }
            self.skip_plain();
        }
    }

    /// Goes on to the next byte of a string that is not plain, or to the last seven bytes of the text.
    #[inline(always)]
    fn skip_plain(&mut self) {
        while let Some(block) = self.text.as_bytes().get(self.position..).and_then(<[u8]>::first_chunk) {
            let special = not_plain(u64::from_le_bytes(*block));
            if special != 0 {
                self.position += special.trailing_zeros() as usize / 8;
                return;
            }
            self.position += block.len();
        }
    }

    fn escape(&mut self) -> Result<(), Reason> {
        self.position += 1;
        match self.byte() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.position += 1,
            Some(b'u') => match self.code_unit()? {
                0xd800..=0xdbff => {
                    let is_followed =
                        self.text.as_bytes().get(self.position..).is_some_and(|rest| rest.starts_with(b"\\u"));
                    if !is_followed {
                        return Err(Reason::Surrogate);
                    }
                    self.position += 1;
                    let low = self.code_unit()?;
                    if !matches!(low, 0xdc00..=0xdfff) {
                        return Err(Reason::Surrogate);
                    }
                }
                0xdc00..=0xdfff => return Err(Reason::Surrogate),
                _ => {}
            },
            _ => return Err(Reason::Escape),
        }
        Ok(())
    }

    /// Reads `u` and four digits.
    fn code_unit(&mut self) -> Result<u32, Reason> {
        self.position += 1;
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.byte().and_then(|byte| char::from(byte).to_digit(16));
            unit = unit << 4 | digit.ok_or(Reason::Escape)?;
            self.position += 1;
        }
        Ok(unit)
    }
}

/// The high bit of each byte that ends a run of plain ones: a quotation mark, a backslash, a control character. Bits
/// above the lowest one may be wrong.
fn not_plain(block: u64) -> u64 {
    let below = |block: u64, bound: u8| block.wrapping_sub(ONES * u64::from(bound)) & !block;
    let equal = |byte: u8| below(block ^ (ONES * u64::from(byte)), 1);
    (below(block, b' ') | equal(b'"') | equal(b'\\')) & (ONES << 7)
}

const ONES: u64 = u64::from_ne_bytes([1; BLOCK]);

/// How many bytes of a string are looked at together.
const BLOCK: usize = 8;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_byte_that_is_not_plain_ends_a_run(block in any::<[u8; BLOCK]>()) {
            let first = block.iter().position(|byte| matches!(byte, 0..=0x1f | b'"' | b'\\'));
            let special = not_plain(u64::from_le_bytes(block));
            prop_assert_eq!(first, (special != 0).then(|| special.trailing_zeros() as usize / 8));
        }
    }
}
