//! OData's JSON: the string values of annotations that hold links.
//!
//! No full parser is needed. A quotation mark inside a string is always preceded by a backslash, so a `"` right behind the last
//! letter of `@odata.nextLink` ends or begins a string. Such a word stands outside strings in no document, so it ends one, and a
//! string followed by a colon is the key of a member. The `"` behind that colon begins the member's value. Nothing that is written
//! inside a string can look like this.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use memchr::memrchr;

use super::Place;
use super::escape::Enclosure;

/// Whether the value of this annotation, here without its `@odata.`, is a link (OData JSON Format 4.0, 4.5 and 4.6).
fn holds_link(annotation: &[u8]) -> bool {
    matches!(
        annotation,
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

const MARK: &[u8] = b"@odata.";

/// The length of the longest annotation with its mark, in bytes.
pub const LONGEST_ANNOTATION: usize = MARK.len() + LONGEST_LINK;

const LONGEST_LINK: usize = b"associationLink".len();

static FIND_MARK: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(MARK));

/// Whether a key, as it stands between its quotation marks, is that of a link.
pub fn is_link(key: &[u8]) -> bool {
    let annotation = memrchr(b'@', key).and_then(|at| key.get(at..));
    annotation.and_then(|annotation| annotation.strip_prefix(MARK)).is_some_and(holds_link)
}

/// Finds the values of link annotations by a fast search for their mark.
#[derive(Debug, Default)]
pub struct Json {
    state: State,
    /// What stands behind a mark so far.
    name: Vec<u8>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// Nothing but white space and a byte order mark was seen.
    #[default]
    Beginning,
    Search,
    /// This many bytes of the mark were seen at the end of the last piece.
    Mark(usize),
    /// Behind the mark.
    Name,
    /// Behind the key of a link.
    Key,
    /// Behind its colon.
    Colon,
    /// Behind the quotation mark that begins its value.
    Value,
    /// The body is something else.
    Lost,
}

impl Json {
    pub fn scan(&mut self, bytes: &[u8]) -> Option<Place> {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let (read, next) = match self.state {
                State::Beginning => beginning(rest),
                State::Search | State::Value => search(rest),
                State::Mark(seen) => go_on(rest, seen),
                State::Name => self.name(rest),
                State::Key => after_space(rest, b':', State::Key, State::Colon),
                State::Colon => after_space(rest, b'"', State::Colon, State::Value),
                State::Lost => return None,
            };
            self.state = next;
            at += read;
            if next == State::Value {
                return Some(Place { at, enclosure: Enclosure::JsonString });
            }
        }
        None
    }

    fn name(&mut self, rest: &[u8]) -> (usize, State) {
        let end = rest.iter().position(|byte| !byte.is_ascii_alphabetic());
        let letters = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        let is_whole = self.name.is_empty() && end.is_some();
        if !is_whole {
            // One letter too many is enough to tell.
            let room = (LONGEST_LINK + 1).saturating_sub(self.name.len());
            self.name.extend_from_slice(letters.get(..room).unwrap_or(letters));
        }
        let Some(end) = end else { return (rest.len(), State::Name) };
        let is_link = rest.get(end) == Some(&b'"') && holds_link(if is_whole { letters } else { &self.name });
        self.name.clear();
        if is_link { (end + 1, State::Key) } else { (end, State::Search) }
    }
}

/// A body that claims JSON and isn't is not looked into.
fn beginning(rest: &[u8]) -> (usize, State) {
    let skip = |byte: &u8| byte.is_ascii_whitespace() || BYTE_ORDER_MARK.contains(byte);
    match rest.iter().position(|byte| !skip(byte)) {
        Some(first) if matches!(rest.get(first), Some(b'{' | b'[')) => (first, State::Search),
        Some(first) => (first, State::Lost),
        None => (rest.len(), State::Beginning),
    }
}

const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

fn search(rest: &[u8]) -> (usize, State) {
    if let Some(mark) = FIND_MARK.find(rest) {
        return (mark + MARK.len(), State::Name);
    }
    // The mark's first byte doesn't occur in it again, so there is one beginning at most.
    let seen = (1..MARK.len()).find(|&seen| MARK.get(..seen).is_some_and(|beginning| rest.ends_with(beginning)));
    (rest.len(), seen.map_or(State::Search, State::Mark))
}

fn go_on(rest: &[u8], seen: usize) -> (usize, State) {
    if rest.first() != MARK.get(seen) {
        (0, State::Search)
    } else if seen + 1 == MARK.len() {
        (1, State::Name)
    } else {
        (1, State::Mark(seen + 1))
    }
}

/// White space leaves the state as it is, the byte expected leads to the next, and anything else back to the search.
fn after_space(rest: &[u8], expected: u8, state: State, next: State) -> (usize, State) {
    match rest.iter().position(|byte| !is_space(*byte)) {
        Some(at) if rest.get(at) == Some(&expected) => (at + 1, next),
        Some(at) => (at, State::Search),
        None => (rest.len(), state),
    }
}

/// White space between JSON's tokens.
pub fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}
