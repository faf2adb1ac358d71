//! A segment of an OData address: where its name ends and where its key does, decided in one place.
//!
//! Source: OData ABNF 4.01, `resourcePath`. Business Central may read what is no segment more leniently than bcproxy.
//! It could then reach a company that bcproxy did not see, so such a segment is an error.

use std::borrow::Cow;
use std::ops::Range;

use super::path::{PathError, decoded};

/// A segment of an OData address: a name, perhaps with a key in parentheses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ODataSegment<'r> {
    raw: &'r str,
    decoded: Cow<'r, str>,
    /// Where in the decoded text the name is, without spaces around it.
    name: Range<usize>,
    /// Where the text between the parentheses is, without spaces around it.
    key: Option<Range<usize>>,
}

impl<'r> ODataSegment<'r> {
    /// Reads a raw segment.
    ///
    /// # Errors
    /// If more than one key follows the name, or the name only resembles one that confinement depends on.
    pub fn read(raw: &'r str) -> Result<Self, PathError> {
        // Most segments are one word.
        if raw.bytes().all(is_word_byte) {
            return Ok(Self { raw, decoded: Cow::Borrowed(raw), name: 0..raw.len(), key: None });
        }
        let decoded = decoded(raw);
        let name_end = decoded.bytes().position(|byte| matches!(byte, b'(' | b')' | b'\'')).unwrap_or(decoded.len());
        let (name, key) = decoded.split_at_checked(name_end).unwrap_or((&decoded, ""));
        let key = key.trim_end();
        // A second layer of encoding hides what a name is.
        if !(key.is_empty() || is_key(key)) || name.contains('%') || resembles_reserved(name.trim()) {
            return Err(PathError::Segment);
        }
        let inner = name_end + 1..(name_end + key.len()).saturating_sub(1);
        let key = (!key.is_empty()).then(|| trimmed(&decoded, inner));
        let name = trimmed(&decoded, 0..name_end);
        Ok(Self { raw, decoded, name, key })
    }

    /// The segment as written.
    pub fn raw(&self) -> &'r str {
        self.raw
    }

    /// The decoded name, without spaces around it.
    pub fn name(&self) -> &str {
        self.decoded.get(self.name.clone()).unwrap_or_default()
    }

    /// The decoded text between the parentheses, without spaces around it.
    pub fn key(&self) -> Option<&str> {
        self.decoded.get(self.key.clone()?)
    }

    /// Whether it is this word, in any case, without a key.
    pub fn is(&self, word: &str) -> bool {
        self.key().is_none() && self.is_named(word)
    }

    /// Whether its name is this word, in any case.
    pub fn is_named(&self, word: &str) -> bool {
        self.name().eq_ignore_ascii_case(word)
    }
}

/// The part of a range that is left without the spaces around it.
fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let part = text.get(range.clone()).unwrap_or_default();
    let start = range.start + part.len() - part.trim_start().len();
    start..start + part.trim().len()
}

/// Whether a text is one pair of parentheses, in which others are balanced or quoted.
fn is_key(text: &str) -> bool {
    let (mut depth, mut is_quoted) = (0_usize, false);
    for (position, byte) in text.bytes().enumerate() {
        match byte {
            b'\'' => is_quoted = !is_quoted,
            b'(' if !is_quoted => depth += 1,
            b')' if !is_quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return position > 0 && position + 1 == text.len();
        }
    }
    false
}

/// Whether a reserved name is a word of this name, but not all of it.
fn resembles_reserved(name: &str) -> bool {
    if name.bytes().all(is_word_byte) {
        return false;
    }
    let is_word = |character: char| character.is_alphanumeric() || matches!(character, '_' | '$');
    // .NET ignores case by more than ASCII. It skips characters without width, and others separate words.
    let folded: String = name.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect();
    let is_visible = |character: &char| character.is_ascii() || character.is_alphanumeric();
    let visible: String = folded.chars().filter(is_visible).collect();
    let has_reserved = |name: &String| name.split(|character| !is_word(character)).any(|word| RESERVED.contains(&word));
    [folded, visible].iter().any(has_reserved)
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$')
}

/// The names that confinement depends on, in lower case.
const RESERVED: [&str; 6] =
    ["companies", "automationcompanies", "company", "subscriptions", "externaleventsubscriptions", "$batch"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_a_name_with_at_most_one_key() {
        for (raw, name, key) in [
            ("customers", "customers", None),
            ("customers()", "customers", Some("")),
            ("companies%28%201%20%29%20", "companies", Some("1")),
            ("%20Companies%20(1)", "Companies", Some("1")),
            ("Company('A%20(B)')", "Company", Some("'A (B)'")),
            ("Company('O''Neil)')", "Company", Some("'O''Neil)'")),
            ("x(a=(1),b=2)", "x", Some("a=(1),b=2")),
            ("Microsoft.NAV.post", "Microsoft.NAV.post", None),
            ("companyInformation", "companyInformation", None),
            ("Company_Sizes", "Company_Sizes", None),
            ("M%C3%BCller%7Cx", "Müller|x", None),
            ("Company%C3%84nderung", "CompanyÄnderung", None),
            ("$count", "$count", None),
        ] {
            let read = ODataSegment::read(raw).unwrap();
            assert_eq!((read.name(), read.key(), read.raw()), (name, key, raw));
        }
    }

    #[test]
    fn what_another_reader_could_end_elsewhere_is_rejected() {
        for raw in [
            "companies(1)x",
            "companies(1);x=1",
            "companies(1)%3Bx",
            "companies(1)(2)",
            "companies(1))",
            "companies(1",
            "companies)",
            "companies((1)",
            "customers(1)%3F$id=companies(2)",
            "x'",
            "'companies(1)'",
            "companies'1'",
            "companies;x=1(2)",
            "companies;x=1",
            "companies%2528", /* encoded twice */
            "companies%25(1)",
            "%252Fcompanies(1)",
            "%2563ompanies(1)",
            "companies%20x(1)",
            "companies%3F(1)",
            "companies.x(1)",
            "NAV.companies(1)",
            "compan%C4%B1es;x",
            "x%CB%AFcompanies&",
            "companies%CB%AF(1)",
            "compan%C4%B1es(1)",
            "com%E2%80%8Bpanies(1)",
            "Company%E2%80%8B('A')",
            "%24batch;x",
            "subscriptions;x('1')",
        ] {
            assert_eq!(ODataSegment::read(raw), Err(PathError::Segment), "{raw}");
        }
    }
}
