//! XML, tag by tag: finds the attribute values and texts that a vocabulary names.
//!
//! Comments, CDATA sections, processing instructions and escaped text are passed over whole. Behind a document type declaration,
//! which no document of Business Central has, nothing is looked at: it could declare entities.

use memchr::{memchr, memchr2};

use super::Place;
use super::escape::Enclosure;

/// Which places of a kind of document hold addresses. Names come as written, with their prefix.
pub trait Vocabulary: Default {
    /// A start tag's name is known.
    fn open(&mut self, element: &[u8]);
    /// Whether this attribute of that tag holds an address.
    fn attribute_is_address(&self, name: &[u8]) -> bool;
    /// Whether the text behind that tag is an address.
    fn text_is_address(&self) -> bool;
    /// An element ends.
    fn close(&mut self);
}

/// Reads XML tag by tag.
#[derive(Debug, Default)]
pub struct Xml<V> {
    vocabulary: V,
    state: State,
    /// What was read of the name at hand.
    name: Vec<u8>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// Behind the start tag of an element whose text is an address.
    AddressText,
    /// Behind `<`.
    Markup,
    /// Behind `<!`.
    Declaration,
    /// Inside what ends with at least `needed` times this byte and a `>`.
    Passage {
        byte: u8,
        needed: u8,
        seen: u8,
    },
    ElementName,
    /// Inside a start tag, between attributes.
    Tag,
    AttributeName,
    /// Behind an attribute's name.
    Equals,
    /// Behind the equals sign; whether an address may follow.
    Quote {
        is_address: bool,
    },
    /// Behind the quote of an attribute that is an address.
    AddressValue {
        quote: u8,
    },
    Value {
        quote: u8,
    },
    /// Behind the slash of an empty element's tag.
    EmptyTag,
    EndTag,
    /// The body is something else.
    Lost,
}

/// Longer names are no name of ours, in bytes.
const LONGEST_NAME: usize = 128;

const COMMENT: State = State::Passage { byte: b'-', needed: 2, seen: 0 };
const CDATA: State = State::Passage { byte: b']', needed: 2, seen: 0 };
const INSTRUCTION: State = State::Passage { byte: b'?', needed: 1, seen: 0 };

impl<V: Vocabulary> Xml<V> {
    /// Reads on to the next place where an address may stand.
    pub fn scan(&mut self, bytes: &[u8]) -> Option<Place> {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..) {
            let &byte = rest.first()?;
            match self.state {
                State::Lost => return None,
                State::Text => {
                    at += memchr(b'<', rest)? + 1;
                    self.state = State::Markup;
                    self.name.clear();
                }
                State::Value { quote } => {
                    let end = memchr2(quote, b'<', rest)?;
                    at += end + 1;
                    self.state = if rest.get(end) == Some(&quote) { State::Tag } else { State::Lost };
                }
                State::ElementName | State::AttributeName if !ends_name(byte) => {
                    let end = rest.iter().position(|&byte| ends_name(byte)).unwrap_or(rest.len());
                    self.name(rest.get(..end).unwrap_or_default());
                    at += end;
                }
                State::AddressText if !is_space(byte) => {
                    self.state = State::Text;
                    if byte != b'<' {
                        return Some(Place { at, enclosure: Enclosure::Text });
                    }
                }
                State::AddressValue { quote } if !is_space(byte) => {
                    self.state = State::Value { quote };
                    if byte != quote {
                        return Some(Place { at, enclosure: Enclosure::Attribute { quote } });
                    }
                }
                state => {
                    self.state = self.next(state, byte);
                    at += 1;
                }
            }
        }
        None
    }

    fn next(&mut self, state: State, byte: u8) -> State {
        match (state, byte) {
            (State::Markup, b'/') => State::EndTag,
            (State::Markup, b'?') => INSTRUCTION,
            (State::Markup, b'!') => State::Declaration,
            (State::Markup, _) if begins_name(byte) => {
                self.name(&[byte]);
                State::ElementName
            }
            (State::Declaration, _) => {
                self.name.push(byte);
                match self.name.as_slice() {
                    b"--" => COMMENT,
                    b"[CDATA[" => CDATA,
                    name if b"--".starts_with(name) || b"[CDATA[".starts_with(name) => State::Declaration,
                    _ => State::Lost,
                }
            }
            (State::Passage { needed, seen, .. }, b'>') if seen >= needed => State::Text,
            (State::Passage { byte: awaited, needed, seen }, byte) => {
                let seen = if byte == awaited { needed.min(seen + 1) } else { 0 };
                State::Passage { byte: awaited, needed, seen }
            }
            (State::ElementName, b'>' | b'/') => {
                self.vocabulary.open(&self.name);
                self.next(State::Tag, byte)
            }
            (State::ElementName, _) if is_space(byte) => {
                self.vocabulary.open(&self.name);
                State::Tag
            }
            (State::Tag, b'>') if self.vocabulary.text_is_address() => State::AddressText,
            (State::Tag, b'>') => State::Text,
            (State::Tag, b'/') => State::EmptyTag,
            (State::Tag, _) if begins_name(byte) => {
                self.name.clear();
                self.name(&[byte]);
                State::AttributeName
            }
            (State::EmptyTag | State::EndTag, b'>') => {
                self.vocabulary.close();
                State::Text
            }
            (State::AttributeName | State::Equals, b'=') => {
                State::Quote { is_address: self.vocabulary.attribute_is_address(&self.name) }
            }
            (State::AttributeName, _) if is_space(byte) => State::Equals,
            (State::EndTag, _) if byte != b'<' => State::EndTag,
            (State::Quote { is_address: true }, quote @ (b'"' | b'\'')) => State::AddressValue { quote },
            (State::Quote { is_address: false }, quote @ (b'"' | b'\'')) => State::Value { quote },
            (
                State::Tag | State::Equals | State::Quote { .. } | State::AddressText | State::AddressValue { .. },
                space,
            ) if is_space(space) => state,
            _ => State::Lost,
        }
    }

    fn name(&mut self, more: &[u8]) {
        // One byte too many is enough to tell.
        let room = (LONGEST_NAME + 1).saturating_sub(self.name.len());
        self.name.extend_from_slice(more.get(..room).unwrap_or(more));
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn begins_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'_' | b':') || !byte.is_ascii()
}

fn ends_name(byte: u8) -> bool {
    is_space(byte) || matches!(byte, b'<' | b'>' | b'/' | b'=' | b'"' | b'\'')
}

/// A name's prefix, empty when there is none, and its local part.
pub fn split_name(name: &[u8]) -> (&[u8], &[u8]) {
    let Some(colon) = memchr(b':', name) else { return (b"", name) };
    (name.get(..colon).unwrap_or_default(), name.get(colon + 1..).unwrap_or_default())
}
