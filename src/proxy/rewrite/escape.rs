//! What an address stands in: where it ends, its escaping undone, and written again in the style found.

use std::borrow::Cow;
use std::io::Write;

use memchr::{memchr, memchr2};

/// What encloses a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enclosure {
    JsonString,
    /// An XML attribute, in this kind of quotes.
    Attribute {
        quote: u8,
    },
    /// The text of an XML element.
    Text,
}

/// A character of a value, or a byte of one that is not ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    pub content: Content,
    /// In bytes, at most twelve.
    pub length: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    Plain(u8),
    Escaped(char),
}

impl Content {
    /// Whether it is this ASCII character, in any case.
    pub fn is(self, expected: u8) -> bool {
        match self {
            Self::Plain(byte) => byte.eq_ignore_ascii_case(&expected),
            Self::Escaped(character) => character.eq_ignore_ascii_case(&char::from(expected)),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The value ends here.
    End,
    /// The bytes known end here.
    Cut,
    /// What can't be in an address: an escape nobody knows, or a control character.
    Broken,
}

/// An address without its escaping.
#[derive(Debug)]
pub struct Decoded<'v> {
    pub text: Cow<'v, str>,
    /// Where the first `?` or `#` is in `text`, or its end.
    pub split: usize,
    /// The same place in the value as it stands in the document.
    pub until: usize,
    pub style: Style,
}

/// How an address was escaped where it need not have been.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Style {
    /// The ASCII characters that were escaped, one bit each.
    ascii: u128,
    beyond_ascii: bool,
    /// `\/`, not `\u002f`.
    short_solidus: bool,
    /// Hexadecimal digits in capitals.
    capitals: bool,
}

impl Style {
    fn note(&mut self, character: char, written: &[u8]) {
        match u32::from(character) {
            code @ 0..=0x7f => self.ascii |= 1 << code,
            _ => self.beyond_ascii = true,
        }
        self.short_solidus |= written == br"\/";
        self.capitals |= written.iter().any(|byte| matches!(byte, b'A'..=b'F'));
    }

    fn escapes(&self, character: char) -> bool {
        match u32::from(character) {
            code @ 0..=0x7f => self.ascii & (1 << code) != 0,
            _ => self.beyond_ascii,
        }
    }
}

impl Enclosure {
    /// Finds the first byte behind the value. `searched` says how far it was searched already, and keeps that.
    pub fn find_end(self, value: &[u8], searched: &mut usize) -> Option<usize> {
        while let Some(rest) = value.get(*searched..) {
            let found = match self {
                Self::JsonString => memchr2(b'"', b'\\', rest),
                Self::Attribute { quote } => memchr(quote, rest),
                Self::Text => memchr(b'<', rest),
            };
            let Some(found) = found else {
                *searched = value.len();
                return None;
            };
            *searched += found;
            if rest.get(found) != Some(&b'\\') || self != Self::JsonString {
                return Some(*searched);
            }
            // What a backslash escapes ends nothing, even where it isn't known yet.
            *searched += 2;
        }
        None
    }

    /// Whether the value ends where these bytes begin.
    pub fn ends_at(self, bytes: &[u8]) -> bool {
        let end = match self {
            Self::JsonString => b'"',
            Self::Attribute { quote } => quote,
            Self::Text => b'<',
        };
        bytes.first() == Some(&end)
    }

    /// The first unit of a value, or of what is left of it.
    pub fn unit(self, value: &[u8]) -> Result<Unit, Fault> {
        let Some((&first, rest)) = value.split_first() else { return Err(Fault::Cut) };
        let (content, length) = match (self, first) {
            (Self::JsonString, b'"') | (Self::Text, b'<') => return Err(Fault::End),
            (Self::Attribute { quote }, byte) if byte == quote => return Err(Fault::End),
            (Self::JsonString, b'\\') => {
                let (character, length) = json_escape(rest)?;
                (Content::Escaped(character), 1 + length)
            }
            (Self::Attribute { .. } | Self::Text, b'&') => {
                let (character, length) = xml_entity(rest)?;
                (Content::Escaped(character), 1 + length)
            }
            (Self::Attribute { .. }, b'<') => return Err(Fault::Broken),
            (_, byte) => (Content::Plain(byte), 1),
        };
        match content {
            Content::Plain(byte) if byte.is_ascii_control() => Err(Fault::Broken),
            Content::Escaped(character) if character.is_ascii_control() => Err(Fault::Broken),
            _ => Ok(Unit { content, length }),
        }
    }

    /// Undoes the escaping of a whole value. Nothing when it can't be an address.
    pub fn decode(self, value: &[u8]) -> Option<Decoded<'_>> {
        // White space around an address in XML doesn't belong to it.
        let value = if self == Self::JsonString { value } else { value.trim_ascii_end() };
        let escape = if self == Self::JsonString { b'\\' } else { b'&' };
        if memchr(escape, value).is_none() {
            let is_broken = |byte: u8| byte.is_ascii_control() | (byte == b'<' && self != Self::JsonString);
            if any(value, is_broken) {
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

    /// Writes a text as this enclosure needs it, and in this style.
    pub fn write(self, mut text: &str, style: &Style, out: &mut Vec<u8>) {
        // As it nearly always is.
        let is_suspect = |byte| matches!(byte, 0..=0x1f | b'"' | b'\'' | b'\\' | b'&' | b'<' | b'>');
        if *style == Style::default() && !any(text.as_bytes(), is_suspect) {
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
        // Writing to memory doesn't fail.
        if self != Self::JsonString {
            let _ = write!(out, "&#x{:X};", u32::from(character));
            return;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            let _ = if style.capitals { write!(out, "\\u{unit:04X}") } else { write!(out, "\\u{unit:04x}") };
        }
    }
}

/// Like `Iterator::any`, but for short texts that nearly always hold none: without a branch per byte, it runs on whole vectors.
fn any(bytes: &[u8], is_one: impl Fn(u8) -> bool) -> bool {
    bytes.iter().fold(false, |found, &byte| found | is_one(byte))
}

/// What stands behind a backslash, and its length. The short forms of control characters have no place in an address.
fn json_escape(rest: &[u8]) -> Result<(char, usize), Fault> {
    match rest {
        [] => Err(Fault::Cut),
        [character @ (b'"' | b'\\' | b'/'), ..] => Ok((char::from(*character), 1)),
        [b'u', digits @ ..] => {
            let high = hexadecimal(digits)?;
            if !(0xd800..0xdc00).contains(&high) {
                return Ok((char::from_u32(high).ok_or(Fault::Broken)?, 5));
            }
            let low = match digits.get(4..).unwrap_or_default() {
                [] | [b'\\'] => return Err(Fault::Cut),
                [b'\\', b'u', digits @ ..] => hexadecimal(digits)?,
                _ => return Err(Fault::Broken),
            };
            if !(0xdc00..0xe000).contains(&low) {
                return Err(Fault::Broken);
            }
            let character = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
            Ok((char::from_u32(character).ok_or(Fault::Broken)?, 11))
        }
        _ => Err(Fault::Broken),
    }
}

/// The four hexadecimal digits at the beginning.
fn hexadecimal(bytes: &[u8]) -> Result<u32, Fault> {
    let mut value = 0;
    for position in 0..4 {
        let digit = bytes.get(position).ok_or(Fault::Cut)?;
        value = value * 16 + char::from(*digit).to_digit(16).ok_or(Fault::Broken)?;
    }
    Ok(value)
}

/// What stands behind an ampersand, and its length with the semicolon.
fn xml_entity(rest: &[u8]) -> Result<(char, usize), Fault> {
    const LONGEST_NAME: usize = 10;
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'#';
    let name = match rest.iter().position(|byte| !is_name(byte)) {
        Some(end) if rest.get(end) == Some(&b';') => rest.get(..end).unwrap_or_default(),
        None if rest.len() <= LONGEST_NAME => return Err(Fault::Cut),
        _ => return Err(Fault::Broken),
    };
    if name.len() > LONGEST_NAME {
        return Err(Fault::Broken);
    }
    let number = |digits, radix| {
        let digits = str::from_utf8(digits).ok()?;
        char::from_u32(u32::from_str_radix(digits, radix).ok()?)
    };
    let character = match name {
        b"amp" => Some('&'),
        b"lt" => Some('<'),
        b"gt" => Some('>'),
        b"quot" => Some('"'),
        b"apos" => Some('\''),
        [b'#', b'x', digits @ ..] => number(digits, 16),
        [b'#', digits @ ..] => number(digits, 10),
        _ => None,
    };
    Ok((character.ok_or(Fault::Broken)?, name.len() + 1))
}
