//! Finds the end of an enclosed value and reads its characters.

use memchr::{memchr, memchr2};

use super::escape_sequence::{UnitError, json_escape, xml_entity};

/// The syntax that encloses a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enclosure {
    JsonString,
    /// An XML attribute in this kind of quotation marks.
    Attribute {
        quote: u8,
    },
    /// The text of an XML element.
    Text,
}

/// One ASCII character of a value, one escaped character, or one byte of any other character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    pub content: Content,
    /// The length as written in the document, in bytes: 1 to 12.
    pub length: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    Plain(u8),
    Escaped(char),
}

impl Content {
    /// Whether it is this ASCII character, ignoring case.
    pub fn is(self, expected: u8) -> bool {
        match self {
            Self::Plain(byte) => byte.eq_ignore_ascii_case(&expected),
            Self::Escaped(character) => character.eq_ignore_ascii_case(&char::from(expected)),
        }
    }
}

impl Enclosure {
    /// Finds the position after the last byte of the value. `searched` is the position where the search continues; it
    /// is updated.
    pub fn find_end(self, value: &[u8], searched: &mut usize) -> Option<usize> {
        while let Some(rest) = value.get(*searched..) {
            let found = match self {
                Self::JsonString => memchr2(b'"', b'\\', rest),
                Self::Attribute { .. } | Self::Text => memchr(self.end(), rest),
            };
            let Some(found) = found else {
                *searched = value.len();
                return None;
            };
            *searched += found;
            if rest.get(found) != Some(&b'\\') || self != Self::JsonString {
                return Some(*searched);
            }
            // An escaped byte never ends the value, even if it has not arrived yet.
            *searched += 2;
        }
        None
    }

    /// Whether the value ends before these bytes.
    pub fn ends_at(self, bytes: &[u8]) -> bool {
        bytes.first() == Some(&self.end())
    }

    /// The byte that ends a value, unless it is escaped.
    fn end(self) -> u8 {
        match self {
            Self::JsonString => b'"',
            Self::Attribute { quote } => quote,
            Self::Text => b'<',
        }
    }

    /// Reads the first unit of a value or of its rest.
    pub fn unit(self, value: &[u8]) -> Result<Unit, UnitError> {
        let Some((&first, rest)) = value.split_first() else { return Err(UnitError::Incomplete) };
        let (content, length) = match (self, first) {
            (_, byte) if byte == self.end() => return Err(UnitError::EndOfValue),
            (Self::JsonString, b'\\') => {
                let (character, length) = json_escape(rest)?;
                (Content::Escaped(character), 1 + length)
            }
            (Self::Attribute { .. } | Self::Text, b'&') => {
                let (character, length) = xml_entity(rest)?;
                (Content::Escaped(character), 1 + length)
            }
            (Self::Attribute { .. }, b'<') => return Err(UnitError::Invalid),
            (_, byte) => (Content::Plain(byte), 1),
        };
        match content {
            Content::Plain(byte) if byte.is_ascii_control() => Err(UnitError::Invalid),
            Content::Escaped(character) if character.is_ascii_control() => Err(UnitError::Invalid),
            _ => Ok(Unit { content, length }),
        }
    }
}
