//! Reads XML tag by tag and finds the attribute values and texts that a vocabulary declares as links.
//!
//! Comments, CDATA sections, processing instructions and escaped text are skipped. Scanning stops at a document type
//! declaration, because it could declare entities. Business Central never sends one.

use memchr::{memchr, memchr2};

use super::candidate::Candidate;
use crate::proxy::rewrite::enclosure::Enclosure;

/// The links of one kind of XML document. Names are passed as written, with their prefix.
pub trait Vocabulary: Default {
    /// Called with the name of each start tag.
    fn open(&mut self, element: &[u8]);
    /// Whether this attribute of the current tag is a link.
    fn attribute_is_link(&self, name: &[u8]) -> bool;
    /// Whether the text after the current tag is a link.
    fn text_is_link(&self) -> bool;
    /// Called at the end of each element.
    fn close(&mut self);
}

/// The scanner for XML documents.
#[derive(Debug, Default)]
pub struct XmlScanner<V> {
    vocabulary: V,
    state: State,
    /// The bytes of the current name read so far.
    name: Vec<u8>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// After the start tag of an element whose text is a link.
    LinkText,
    /// After `<`.
    Markup,
    /// After `<!`.
    Declaration,
    /// Inside a section that ends with at least `needed` of this byte, followed by `>`.
    Section {
        byte: u8,
        needed: u8,
        seen: u8,
    },
    ElementName,
    /// Inside a start tag, between attributes.
    Tag,
    AttributeName,
    /// After the name of an attribute.
    Equals,
    /// After the equals sign. `is_link`: whether the value is a link.
    Quote {
        is_link: bool,
    },
    /// After the opening quotation mark of a link.
    LinkValue {
        quote: u8,
    },
    Value {
        quote: u8,
    },
    /// After the slash of an empty-element tag.
    EmptyTag,
    EndTag,
    /// The body is not XML, or has a document type declaration. The rest is not scanned.
    Stopped,
}

/// The maximum length of a name to compare, in bytes. No known name is longer.
const MAX_NAME_BYTES: usize = 128;

const COMMENT: State = State::Section { byte: b'-', needed: 2, seen: 0 };
const CDATA: State = State::Section { byte: b']', needed: 2, seen: 0 };
const INSTRUCTION: State = State::Section { byte: b'?', needed: 1, seen: 0 };

impl<V: Vocabulary> XmlScanner<V> {
    /// Reads up to the next candidate.
    pub fn scan(&mut self, bytes: &[u8]) -> Option<Candidate> {
        let mut offset = 0;
        while let Some(rest) = bytes.get(offset..) {
            let &byte = rest.first()?;
            match self.state {
                State::Stopped => return None,
                State::Text => {
                    offset += memchr(b'<', rest)? + 1;
                    self.state = State::Markup;
                    self.name.clear();
                }
                State::Value { quote } => {
                    let end = memchr2(quote, b'<', rest)?;
                    offset += end + 1;
                    self.state = if rest.get(end) == Some(&quote) { State::Tag } else { State::Stopped };
                }
                State::ElementName | State::AttributeName if !is_name_end(byte) => {
                    let end = rest.iter().position(|&byte| is_name_end(byte)).unwrap_or(rest.len());
                    self.extend_name(rest.get(..end).unwrap_or_default());
                    offset += end;
                }
                State::LinkText if !is_space(byte) => {
                    self.state = State::Text;
                    if byte != b'<' {
                        return Some(Candidate { offset, enclosure: Enclosure::Text });
                    }
                }
                State::LinkValue { quote } if !is_space(byte) => {
                    self.state = State::Value { quote };
                    if byte != quote {
                        return Some(Candidate { offset, enclosure: Enclosure::Attribute { quote } });
                    }
                }
                state => {
                    self.state = self.next(state, byte);
                    offset += 1;
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
            (State::Markup, _) if is_name_start(byte) => {
                self.extend_name(&[byte]);
                State::ElementName
            }
            (State::Declaration, _) => {
                self.name.push(byte);
                match self.name.as_slice() {
                    b"--" => COMMENT,
                    b"[CDATA[" => CDATA,
                    name if b"--".starts_with(name) || b"[CDATA[".starts_with(name) => State::Declaration,
                    _ => State::Stopped,
                }
            }
            (State::Section { needed, seen, .. }, b'>') if seen >= needed => State::Text,
            (State::Section { byte: expected, needed, seen }, byte) => {
                let seen = if byte == expected { needed.min(seen + 1) } else { 0 };
                State::Section { byte: expected, needed, seen }
            }
            (State::ElementName, _) if is_space(byte) || matches!(byte, b'>' | b'/') => {
                self.vocabulary.open(&self.name);
                self.next(State::Tag, byte)
            }
            (State::Tag, b'>') if self.vocabulary.text_is_link() => State::LinkText,
            (State::Tag, b'>') => State::Text,
            (State::Tag, b'/') => State::EmptyTag,
            (State::Tag, _) if is_name_start(byte) => {
                self.name.clear();
                self.extend_name(&[byte]);
                State::AttributeName
            }
            (State::EmptyTag | State::EndTag, b'>') => {
                self.vocabulary.close();
                State::Text
            }
            (State::AttributeName | State::Equals, b'=') => {
                State::Quote { is_link: self.vocabulary.attribute_is_link(&self.name) }
            }
            (State::AttributeName, _) if is_space(byte) => State::Equals,
            (State::EndTag, _) if byte != b'<' => State::EndTag,
            (State::Quote { is_link: true }, quote @ (b'"' | b'\'')) => State::LinkValue { quote },
            (State::Quote { is_link: false }, quote @ (b'"' | b'\'')) => State::Value { quote },
            (State::Tag | State::Equals | State::Quote { .. } | State::LinkText | State::LinkValue { .. }, space)
                if is_space(space) =>
            {
                state
            }
            _ => State::Stopped,
        }
    }

    fn extend_name(&mut self, more: &[u8]) {
        // One byte over the maximum is enough to reject the name.
        let free = (MAX_NAME_BYTES + 1).saturating_sub(self.name.len());
        self.name.extend_from_slice(more.get(..free).unwrap_or(more));
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'_' | b':') || !byte.is_ascii()
}

fn is_name_end(byte: u8) -> bool {
    is_space(byte) || matches!(byte, b'<' | b'>' | b'/' | b'=' | b'"' | b'\'')
}

/// Splits a name into its prefix, which may be empty, and its local part.
pub fn split_name(name: &[u8]) -> (&[u8], &[u8]) {
    let Some(colon) = memchr(b':', name) else { return (b"", name) };
    (name.get(..colon).unwrap_or_default(), name.get(colon + 1..).unwrap_or_default())
}
