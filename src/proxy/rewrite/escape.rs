//! Removes the escaping of a link, and writes its replacement in the same style.

use std::borrow::Cow;
use std::io::Write;

use memchr::{memchr, memchr2};

use super::enclosure::{Content, Enclosure};

/// A link without its escaping.
#[derive(Debug)]
pub struct Decoded<'v> {
    pub text: Cow<'v, str>,
    /// The position of the first `?` or `#` in `text`, or its length.
    pub split: usize,
    /// The same position in the value as written in the document.
    pub until: usize,
    pub style: Style,
}

/// The optional escaping found in a link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Style {
    /// The escaped ASCII characters, one bit each.
    ascii: u128,
    /// Whether other characters were escaped.
    non_ascii: bool,
    /// Whether a slash was written as `\/`, not as `\u002f`.
    short_solidus: bool,
    /// Whether hexadecimal digits were in uppercase.
    uppercase_hex: bool,
}

impl Style {
    fn note(&mut self, character: char, written: &[u8]) {
        match u32::from(character) {
            code @ 0..=0x7f => self.ascii |= 1 << code,
            _ => self.non_ascii = true,
        }
        self.short_solidus |= written == br"\/";
        self.uppercase_hex |= written.iter().any(|byte| matches!(byte, b'A'..=b'F'));
    }

    fn escapes(&self, character: char) -> bool {
        match u32::from(character) {
            code @ 0..=0x7f => self.ascii & (1 << code) != 0,
            _ => self.non_ascii,
        }
    }
}

impl Enclosure {
    /// Removes the escaping of a whole value. `None` if the value cannot be a link.
    pub fn decode(self, value: &[u8]) -> Option<Decoded<'_>> {
        // In XML, white space around a link is not part of it.
        let value = if self == Self::JsonString { value } else { value.trim_ascii_end() };
        let escape = if self == Self::JsonString { b'\\' } else { b'&' };
        if memchr(escape, value).is_none() {
            let is_invalid = |byte: u8| byte.is_ascii_control() | (byte == b'<' && self != Self::JsonString);
            if any(value, is_invalid) {
                return None;
            }
            let split = memchr2(b'?', b'#', value).unwrap_or(value.len());
            let text = Cow::Borrowed(str::from_utf8(value).ok()?);
            return Some(Decoded { text, split, until: split, style: Style::default() });
        }
        let mut text = Vec::with_capacity(value.len());
        let (mut split, mut style, mut position) = (None, Style::default(), 0);
        while let Some(rest) = value.get(position..).filter(|rest| !rest.is_empty()) {
            let unit = self.unit(rest).ok()?;
            if split.is_none() && (unit.content.is(b'?') || unit.content.is(b'#')) {
                split = Some((text.len(), position));
            }
            match unit.content {
                Content::Plain(byte) => text.push(byte),
                Content::Escaped(character) => {
                    if split.is_none() {
                        style.note(character, rest.get(..unit.length).unwrap_or_default());
                    }
                    text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
            position += unit.length;
        }
        let (split, until) = split.unwrap_or((text.len(), position));
        Some(Decoded { text: Cow::Owned(String::from_utf8(text).ok()?), split, until, style })
    }

    /// Writes a text escaped for this enclosure, in this style.
    pub fn write(self, mut text: &str, style: &Style, out: &mut Vec<u8>) {
        // The common case: nothing to escape.
        let may_need_escaping = |byte| matches!(byte, 0..=0x1f | b'"' | b'\'' | b'\\' | b'&' | b'<' | b'>');
        if *style == Style::default() && !any(text.as_bytes(), may_need_escaping) {
            out.extend_from_slice(text.as_bytes());
            return;
        }
        while let Some(at) = text.find(|character| self.must_escape(character) || style.escapes(character)) {
            let (plain, rest) = text.split_at(at);
            out.extend_from_slice(plain.as_bytes());
            let mut characters = rest.chars();
            if let Some(character) = characters.next() {
                self.write_escaped(character, style, out);
            }
            text = characters.as_str();
        }
        out.extend_from_slice(text.as_bytes());
    }

    fn must_escape(self, character: char) -> bool {
        match (self, character) {
            (_, '\0'..' ') | (Self::JsonString, '"' | '\\') => true,
            (Self::JsonString, _) => false,
            (_, '&' | '<' | '>') => true,
            (Self::Attribute { quote }, character) => character == char::from(quote),
            (Self::Text, _) => false,
        }
    }

    fn write_escaped(self, character: char, style: &Style, out: &mut Vec<u8>) {
        let short = match (self, character) {
            (Self::JsonString, '/') if style.short_solidus => r"\/",
            (Self::JsonString, '"') => r#"\""#,
            (Self::JsonString, '\\') => r"\\",
            (Self::JsonString, _) => "",
            (_, '&') => "&amp;",
            (_, '<') => "&lt;",
            (_, '>') => "&gt;",
            (_, '"') => "&quot;",
            (_, '\'') => "&apos;",
            _ => "",
        };
        out.extend_from_slice(short.as_bytes());
        if !short.is_empty() {
            return;
        }
        // Writing to memory cannot fail.
        if self != Self::JsonString {
            let _ = write!(out, "&#x{:X};", u32::from(character));
            return;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            let _ = if style.uppercase_hex { write!(out, "\\u{unit:04X}") } else { write!(out, "\\u{unit:04x}") };
        }
    }
}

/// Like `Iterator::any`, for short texts that rarely match. Without a branch per byte, the compiler can vectorize it.
fn any(bytes: &[u8], matches: impl Fn(u8) -> bool) -> bool {
    bytes.iter().fold(false, |found, &byte| found | matches(byte))
}
