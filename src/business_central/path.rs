//! The raw path of a request: checked, split into segments, never re-encoded.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, PercentEncode, percent_decode_str, utf8_percent_encode};

use super::odata_segment::ODataSegment;

/// Why a path is rejected before a request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// A percent sign doesn't start a valid escape.
    #[error("the path has a % without two hexadecimal digits after it; write a percent sign as %25")]
    InvalidPercentEncoding,
    /// A control character, raw or encoded.
    #[error("the path contains a control character; remove it")]
    ControlCharacter,
    /// A segment that could climb out of the route.
    #[error("the path contains the segment `.` or `..`; write the address without it")]
    DotSegment,
    /// A separator that only a decoder sees.
    #[error("the path contains a \\ or an encoded / outside a quoted key; separate segments with a plain /")]
    EncodedSeparator,
    /// An odd number of quotes.
    #[error("the path has an unclosed quote ('); double each apostrophe inside a quoted name")]
    UnclosedQuote,
    /// A segment of an OData address that is not a name, or a name with a key.
    #[error("a segment of the path is neither a name nor a name with one key in parentheses; write name or name(key)")]
    Segment,
}

/// A path that satisfies the rules for every request, on any surface.
///
/// After decoding once, it contains no control character and no segment `.` or `..`. Segments end at `/` and `\`, even
/// encoded or quoted. The raw text is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SafePath<'r>(&'r str);

impl<'r> SafePath<'r> {
    /// Checks a raw path, without its query.
    pub fn check(raw: &'r str) -> Result<Self, PathError> {
        let mut escapes = memchr::memchr_iter(b'%', raw.as_bytes()).peekable();
        let decoded = match escapes.peek() {
            Some(_) => Cow::from(percent_decode_str(raw)),
            None => Cow::Borrowed(raw.as_bytes()),
        };
        if !escapes.all(|at| encoded(raw, at).is_some()) {
            return Err(PathError::InvalidPercentEncoding);
        }
        // No branch per byte: control characters are rare.
        if decoded.iter().fold(false, |found, byte| found | byte.is_ascii_control()) {
            return Err(PathError::ControlCharacter);
        }
        let ends_at = |at: usize| decoded.get(at).is_none_or(|byte| matches!(byte, b'/' | b'\\'));
        let starts_at = |at: usize| at.checked_sub(1).is_none_or(ends_at);
        let is_dot_segment =
            |at: usize| starts_at(at) && (ends_at(at + 1) || decoded.get(at + 1) == Some(&b'.') && ends_at(at + 2));
        if memchr::memchr_iter(b'.', &decoded).any(is_dot_segment) {
            return Err(PathError::DotSegment);
        }
        Ok(Self(raw))
    }

    /// The raw path.
    pub fn as_str(&self) -> &'r str {
        self.0
    }

    /// The path without the empty segments it begins with: `//api` becomes `/api`. Business Central ignores them, too.
    pub fn without_leading_empty_segments(&self) -> SafePath<'r> {
        let slashes = self.0.len() - self.0.trim_start_matches('/').len();
        SafePath(self.0.get(slashes.saturating_sub(1)..).unwrap_or_default())
    }

    /// The path after a prefix that ends on a segment boundary; `None` if the path is not below it.
    pub fn below(&self, prefix: &str) -> Option<SafePath<'r>> {
        let rest = self.0.strip_prefix(prefix)?;
        (rest.is_empty() || rest.starts_with('/')).then_some(SafePath(rest))
    }

    /// The path after this many plain segments: empty or starting with a slash.
    pub fn skip_segments(&self, segments: usize) -> SafePath<'r> {
        let rest = (0..segments).fold(self.0, |rest, _| {
            let segment = rest.trim_start_matches('/');
            segment.find('/').and_then(|end| segment.get(end..)).unwrap_or_default()
        });
        SafePath(rest)
    }

    /// The non-empty raw segments of an OData address, in which a `/` inside quotes belongs to its segment.
    ///
    /// # Errors
    /// If a quote is unclosed, a separator that only a decoder sees is outside quotes, or a segment can't be read.
    pub fn odata_segments(&self) -> Result<Vec<ODataSegment<'r>>, PathError> {
        let mut segments = Vec::with_capacity(4);
        let mut push = |start, end| -> Result<(), PathError> {
            let raw = self.0.get(start..end).filter(|raw| !raw.is_empty());
            segments.extend(raw.map(ODataSegment::read).transpose()?);
            Ok(())
        };
        let (mut start, mut in_quotes) = (0, false);
        for (position, byte) in self.0.bytes().enumerate() {
            let read = if byte == b'%' { encoded(self.0, position).unwrap_or(byte) } else { byte };
            match read {
                b'\'' => in_quotes = !in_quotes,
                b'/' if byte == b'/' && !in_quotes => {
                    push(start, position)?;
                    start = position + 1;
                }
                b'/' | b'\\' if !in_quotes => return Err(PathError::EncodedSeparator),
                _ => {}
            }
        }
        if in_quotes {
            return Err(PathError::UnclosedQuote);
        }
        push(start, self.0.len())?;
        Ok(segments)
    }

    /// The non-empty raw segments of an address without quoting, in which an apostrophe is a plain character.
    pub fn plain_segments(&self) -> Vec<Segment<'r>> {
        self.0.split('/').filter(|raw| !raw.is_empty()).map(Segment).collect()
    }

    /// The first segment of [`plain_segments`](Self::plain_segments).
    pub fn first_segment(&self) -> Option<Segment<'r>> {
        self.0.split('/').find(|raw| !raw.is_empty()).map(Segment)
    }
}

/// The byte that the percent sign at this position encodes, if it does.
fn encoded(raw: &str, position: usize) -> Option<u8> {
    let digits = raw.as_bytes().get(position + 1..position + 3)?;
    let digit = |at: usize| char::from(*digits.get(at)?).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

/// A text without its percent-encoding; invalid UTF-8 becomes the replacement character.
pub fn decoded(raw: &str) -> Cow<'_, str> {
    match raw.contains('%') {
        true => percent_decode_str(raw).decode_utf8_lossy(),
        // Most texts are plain.
        false => Cow::Borrowed(raw),
    }
}

/// One raw segment of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment<'r>(&'r str);

impl<'r> Segment<'r> {
    /// The segment as written.
    pub fn raw(&self) -> &'r str {
        self.0
    }

    /// The percent-decoded segment; invalid UTF-8 becomes the replacement character.
    pub fn decoded(&self) -> Cow<'r, str> {
        decoded(self.0)
    }

    /// Whether the decoded segment is this word, in any case.
    pub fn is(&self, word: &str) -> bool {
        self.decoded().eq_ignore_ascii_case(word)
    }

    /// Rejects a separator that only a decoder sees.
    pub fn reject_encoded_separator(self) -> Result<Self, PathError> {
        if self.decoded().contains(['/', '\\']) { Err(PathError::EncodedSeparator) } else { Ok(self) }
    }
}

/// Percent-encodes a text as one path segment: all characters except the unreserved ones (RFC 3986, section 2.3).
pub fn encode_segment(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, RESERVED)
}

/// Percent-encodes only the characters that are illegal in an address; existing escapes stay.
pub fn encode_illegal(raw: &str) -> String {
    utf8_percent_encode(raw, NEVER_RAW).collect()
}

/// Joins raw segments to a valid path, each after a slash. A slash inside quotes is encoded, as some servers would
/// split there.
pub fn join_segments<'r>(segments: impl IntoIterator<Item = &'r str>) -> String {
    let mut path = String::with_capacity(64);
    for raw in segments {
        path.push('/');
        path.extend(utf8_percent_encode(raw, NEVER_IN_SEGMENT));
    }
    path
}

const NEVER_RAW: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`').add(b'{').add(b'|').add(b'}');

const NEVER_IN_SEGMENT: &AsciiSet = &NEVER_RAW.add(b'/');

const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn traversal_and_control_characters_are_rejected() {
        for (raw, error) in [
            ("/a/../b", PathError::DotSegment),
            ("/a/%2e%2E/b", PathError::DotSegment),
            ("/a/.", PathError::DotSegment),
            ("/a/..%2fb", PathError::DotSegment),
            ("/a%5c..%5cb", PathError::DotSegment),
            ("/a\\..\\b", PathError::DotSegment),
            ("/Company('x/../y')/Z", PathError::DotSegment),
            ("/a%0d%0ab", PathError::ControlCharacter),
            ("/a%00", PathError::ControlCharacter),
            ("/a%7F", PathError::ControlCharacter),
            ("/a%", PathError::InvalidPercentEncoding),
            ("/a%2", PathError::InvalidPercentEncoding),
            ("/a%zz", PathError::InvalidPercentEncoding),
        ] {
            assert_eq!(SafePath::check(raw), Err(error), "{raw}");
        }
        for raw in ["", "/", "/a/...", "/a/.b", "/a%252e%252e/b", "/a..b", "/M%FCller", "/Item('1%2F2')"] {
            assert!(SafePath::check(raw).is_ok(), "{raw}");
        }
    }

    #[test]
    fn a_prefix_ends_on_a_segment_boundary() {
        let path = SafePath::check("/api/customers").unwrap();
        assert_eq!(path.below("/api").unwrap().as_str(), "/customers");
        assert_eq!(path.below("").unwrap().as_str(), "/api/customers");
        assert_eq!(path.below("/ap"), None);
    }

    #[test]
    fn the_path_after_skipped_segments_starts_with_a_slash() {
        let path = SafePath::check("//a/b//c").unwrap();
        for (segments, rest) in [(0, "//a/b//c"), (1, "/b//c"), (2, "//c"), (3, ""), (4, "")] {
            assert_eq!(path.skip_segments(segments).as_str(), rest);
        }
    }

    #[test]
    fn a_slash_in_quotes_does_not_separate() {
        let segments = |raw| -> Result<Vec<_>, _> {
            Ok(SafePath::check(raw)?.odata_segments()?.iter().map(ODataSegment::raw).collect::<Vec<_>>())
        };
        assert_eq!(segments("//a///b/").unwrap(), ["a", "b"]);
        assert_eq!(segments("/Company('a/b')/c").unwrap(), ["Company('a/b')", "c"]);
        assert_eq!(segments("/Company(%27a/b%27)/c").unwrap(), ["Company(%27a/b%27)", "c"]);
        assert_eq!(segments("/Company('O''Neil')/c").unwrap(), ["Company('O''Neil')", "c"]);
        assert_eq!(segments("/Company('a)/c"), Err(PathError::UnclosedQuote));
    }

    #[test]
    fn an_encoded_slash_is_data_in_quotes_only() {
        let segments = |raw| SafePath::check(raw).unwrap().odata_segments();
        assert_eq!(segments("/Item('1%2F2')"), Ok(vec![ODataSegment::read("Item('1%2F2')").unwrap()]));
        for raw in ["/a%2Fb", "/a%5Cb", "/a\\b", "/Item('1')%2fx"] {
            assert_eq!(segments(raw), Err(PathError::EncodedSeparator), "{raw}");
        }
        assert_eq!(Segment("a%2Fb").reject_encoded_separator(), Err(PathError::EncodedSeparator));
    }

    proptest! {
        #[test]
        fn an_encoded_segment_decodes_to_itself(text in "\\PC{1,30}") {
            let encoded = encode_segment(&text).to_string();
            prop_assert!(encoded.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)));
            prop_assert_eq!(Segment(&encoded).decoded(), text);
        }

        #[test]
        fn a_checked_path_never_decodes_to_a_dot_segment(raw in "[/.%2eEfF5cC\\\\a']{0,20}") {
            if let Ok(path) = SafePath::check(&raw) {
                let decoded = percent_decode_str(path.as_str()).decode_utf8_lossy().into_owned();
                prop_assert!(!decoded.split(['/', '\\']).any(|piece| piece == ".." || piece == "."));
                let _ = path.odata_segments();
            }
        }
    }
}
