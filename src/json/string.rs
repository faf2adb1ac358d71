//! The strings of a text.

use std::borrow::Cow;

/// A string as it stands in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonString<'t> {
    text: &'t str,
    /// Where its first quotation mark is.
    start: usize,
    /// Behind its last one.
    end: usize,
    /// Whether it may have escapes.
    is_escaped: bool,
}

impl<'t> JsonString<'t> {
    /// The string between these places of a text, which is valid there. `is_escaped`: whether it may have escapes.
    pub fn new(text: &'t str, start: usize, end: usize, is_escaped: bool) -> Self {
        Self { text, start, end, is_escaped }
    }

    /// The string with its quotation marks.
    pub fn raw(self) -> &'t str {
        self.text.get(self.start..self.end).unwrap_or_default()
    }

    /// What the string says. There is no error that the reader of the text has not found before.
    pub fn unescaped(self) -> Result<Cow<'t, str>, serde_json::Error> {
        if !self.is_escaped {
            return Ok(Cow::Borrowed(self.text.get(self.start + 1..self.end - 1).unwrap_or_default()));
        }
        serde_json::from_str(self.raw()).map(Cow::Owned)
    }

    /// A quick check whether it can end with one of these characters. An escape may be any of them.
    pub fn may_end_with(self, last: [u8; 2]) -> bool {
        self.is_escaped || self.text.as_bytes().get(self.end - 2).is_some_and(|byte| last.contains(byte))
    }
}
