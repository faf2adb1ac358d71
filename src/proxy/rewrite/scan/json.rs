//! Finds the links in OData JSON: the string values of certain annotations.
//!
//! No full parser is needed. Inside a string, a quotation mark always follows a backslash. So a `"` right after
//! `@odata.nextLink` starts or ends a string. Outside strings, JSON has no such word, so the `"` ends a string. A
//! string followed by a colon is a key, and the `"` after that colon starts its value. The content of a string can
//! never look like this.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use memchr::memrchr;

use super::candidate::Candidate;
use crate::proxy::rewrite::enclosure::Enclosure;

/// Whether the annotation with this name, without `@odata.`, is a link (OData JSON Format 4.0, sections 4.5 and 4.6).
fn is_link_name(name: &[u8]) -> bool {
    matches!(
        name,
        b"context"
            | b"nextLink"
            | b"deltaLink"
            | b"id"
            | b"editLink"
            | b"readLink"
            | b"mediaReadLink"
            | b"mediaEditLink"
            | b"navigationLink"
            | b"associationLink"
    )
}

const ODATA_PREFIX: &[u8] = b"@odata.";

/// The length of the longest link annotation, including `@odata.`, in bytes.
pub const MAX_ANNOTATION_BYTES: usize = ODATA_PREFIX.len() + MAX_NAME_BYTES;

const MAX_NAME_BYTES: usize = b"associationLink".len();

static PREFIX_FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(ODATA_PREFIX));

/// Whether the value of this key is a link. The key is passed as written between its quotation marks.
pub fn is_link(key: &[u8]) -> bool {
    let annotation = memrchr(b'@', key).and_then(|at| key.get(at..));
    annotation.and_then(|annotation| annotation.strip_prefix(ODATA_PREFIX)).is_some_and(is_link_name)
}

/// The scanner for OData JSON. Instead of parsing, it searches for `@odata.`.
#[derive(Debug, Default)]
pub struct JsonScanner {
    state: State,
    /// The letters after `@odata.` read so far.
    name: Vec<u8>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// Only white space or a byte order mark was read.
    #[default]
    Start,
    Search,
    /// The last piece ended with this many bytes of `@odata.`.
    Prefix(usize),
    /// After `@odata.`.
    Name,
    /// After the key of a link.
    Key,
    /// After the colon.
    Colon,
    /// After the quotation mark that starts the value.
    Value,
    /// The body is not JSON. The rest is not scanned.
    Stopped,
}

impl JsonScanner {
    pub fn scan(&mut self, bytes: &[u8]) -> Option<Candidate> {
        let mut offset = 0;
        while let Some(rest) = bytes.get(offset..).filter(|rest| !rest.is_empty()) {
            let (read, next) = match self.state {
                State::Start => start(rest),
                State::Search | State::Value => search(rest),
                State::Prefix(seen) => continue_prefix(rest, seen),
                State::Name => self.name(rest),
                State::Key => after_space(rest, b':', State::Key, State::Colon),
                State::Colon => after_space(rest, b'"', State::Colon, State::Value),
                State::Stopped => return None,
            };
            self.state = next;
            offset += read;
            if next == State::Value {
                return Some(Candidate { offset, enclosure: Enclosure::JsonString });
            }
        }
        None
    }

    fn name(&mut self, rest: &[u8]) -> (usize, State) {
        let end = rest.iter().position(|byte| !byte.is_ascii_alphabetic());
        let letters = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        let is_complete = self.name.is_empty() && end.is_some();
        if !is_complete {
            // One letter over the maximum is enough to reject the name.
            let free = (MAX_NAME_BYTES + 1).saturating_sub(self.name.len());
            self.name.extend_from_slice(letters.get(..free).unwrap_or(letters));
        }
        let Some(end) = end else { return (rest.len(), State::Name) };
        let is_link = rest.get(end) == Some(&b'"') && is_link_name(if is_complete { letters } else { &self.name });
        self.name.clear();
        if is_link { (end + 1, State::Key) } else { (end, State::Search) }
    }
}

/// Stops scanning if the body does not start like JSON.
fn start(rest: &[u8]) -> (usize, State) {
    let skip = |byte: &u8| byte.is_ascii_whitespace() || BYTE_ORDER_MARK.contains(byte);
    match rest.iter().position(|byte| !skip(byte)) {
        Some(first) if matches!(rest.get(first), Some(b'{' | b'[')) => (first, State::Search),
        Some(first) => (first, State::Stopped),
        None => (rest.len(), State::Start),
    }
}

const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

fn search(rest: &[u8]) -> (usize, State) {
    if let Some(found) = PREFIX_FINDER.find(rest) {
        return (found + ODATA_PREFIX.len(), State::Name);
    }
    // `@` occurs only once in the prefix, so at most one length matches.
    let seen = (1..ODATA_PREFIX.len()).find(|&seen| ODATA_PREFIX.get(..seen).is_some_and(|part| rest.ends_with(part)));
    (rest.len(), seen.map_or(State::Search, State::Prefix))
}

fn continue_prefix(rest: &[u8], seen: usize) -> (usize, State) {
    if rest.first() != ODATA_PREFIX.get(seen) {
        (0, State::Search)
    } else if seen + 1 == ODATA_PREFIX.len() {
        (1, State::Name)
    } else {
        (1, State::Prefix(seen + 1))
    }
}

/// White space keeps the state, the expected byte leads to `next`, and any other byte resumes the search.
fn after_space(rest: &[u8], expected: u8, state: State, next: State) -> (usize, State) {
    match rest.iter().position(|byte| !is_space(*byte)) {
        Some(at) if rest.get(at) == Some(&expected) => (at + 1, next),
        Some(at) => (at, State::Search),
        None => (rest.len(), state),
    }
}

/// Whether this byte is white space between JSON tokens.
pub fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}
