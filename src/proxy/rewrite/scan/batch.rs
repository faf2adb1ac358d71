//! Finds the links in the response to a JSON `$batch`: link annotations anywhere, and certain headers of each part.
//!
//! The headers of a part are at `{"responses": [{"headers": {…}}]}`. The same names in the body of a part are data, so
//! the scanner reads token by token and tracks its position in the structure.

use memchr::memchr2;

use super::candidate::Candidate;
use super::json::{MAX_ANNOTATION_BYTES, is_link, is_space};
use crate::proxy::rewrite::enclosure::Enclosure;

/// The headers whose values are links (OData JSON Format 4.01, section 19.2; OData Protocol 4.0, section 8.3).
const LINK_HEADERS: [&str; 3] = ["Location", "Content-Location", "OData-EntityId"];

/// The scanner for batch responses.
#[derive(Debug, Default)]
pub struct BatchScanner {
    state: State,
    /// The last string that may be a key. Until the value of a member starts, this is its key.
    key: Tail,
    /// The number of open objects and arrays.
    depth: u64,
    /// How many of them, from the outermost, are on the path to the headers of a part.
    path_depth: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    BetweenTokens,
    /// Inside a string that is a key if a colon follows.
    Key,
    AfterKey,
    /// Inside a string that is the value of a member.
    Value,
    /// Inside either string, after a backslash.
    Escape {
        in_key: bool,
    },
    AfterColon,
    /// The body is not JSON. The rest is not scanned.
    Stopped,
}

/// The depth of the headers of a part: the response, `responses`, the part, `headers`.
const HEADERS_DEPTH: u64 = 4;

impl BatchScanner {
    pub fn scan(&mut self, bytes: &[u8]) -> Option<Candidate> {
        let mut offset = 0;
        while let Some(rest) = bytes.get(offset..) {
            let Some(&byte) = rest.first() else { break };
            offset += 1;
            self.state = match (self.state, byte) {
                (State::Stopped, _) => return None,
                (State::Key | State::Value, _) => {
                    let (read, next) = self.string(rest, self.state == State::Key);
                    offset += read - 1;
                    next
                }
                (State::Escape { in_key: false }, _) => State::Value,
                (State::Escape { in_key: true }, _) => {
                    self.key.push(&[byte]);
                    State::Key
                }
                (state, space) if is_space(space) => state,
                (State::AfterKey, b':') => State::AfterColon,
                (State::AfterColon, b'"') => {
                    self.state = State::Value;
                    if self.value_may_be_link() {
                        return Some(Candidate { offset, enclosure: Enclosure::JsonString });
                    }
                    State::Value
                }
                (State::AfterColon, b'{' | b'[') => self.open(byte, true),
                (State::BetweenTokens, b'"') => {
                    self.key.clear();
                    State::Key
                }
                (State::BetweenTokens, b'{' | b'[') => self.open(byte, false),
                (_, b'}' | b']') => self.close(byte),
                (_, b',') => State::BetweenTokens,
                // Numbers, true, false and null. The next arm is for a byte order mark.
                (State::BetweenTokens | State::AfterColon, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'+' | b'.' | b'E') => {
                    State::BetweenTokens
                }
                (State::BetweenTokens, 0xef | 0xbb | 0xbf) if self.depth == 0 => State::BetweenTokens,
                _ => State::Stopped,
            };
        }
        None
    }

    /// Reads on inside a string. `rest` is not empty.
    fn string(&mut self, rest: &[u8], in_key: bool) -> (usize, State) {
        let found = memchr2(b'"', b'\\', rest);
        let is_end = found.is_some_and(|found| rest.get(found) == Some(&b'"'));
        let read = found.map_or(rest.len(), |found| found + 1);
        if in_key {
            // Keep the backslash: an escaped name must not match.
            let end = if is_end { read - 1 } else { read };
            self.key.push(rest.get(..end).unwrap_or_default());
        }
        let next = match (found, in_key) {
            (Some(_), _) if !is_end => State::Escape { in_key },
            (Some(_), true) => State::AfterKey,
            (Some(_), false) => State::BetweenTokens,
            (None, true) => State::Key,
            (None, false) => State::Value,
        };
        (read, next)
    }

    fn value_may_be_link(&self) -> bool {
        let in_headers = self.depth == HEADERS_DEPTH && self.path_depth == HEADERS_DEPTH;
        is_link(&self.key.end) || in_headers && LINK_HEADERS.iter().any(|header| self.key.is(header))
    }

    fn open(&mut self, bracket: u8, is_member: bool) -> State {
        let is_on_path = match (self.depth, bracket) {
            (0 | 2, b'{') => true,
            (1, b'[') => is_member && self.key.is("responses"),
            (3, b'{') => is_member && self.key.is("headers"),
            _ => false,
        };
        if is_on_path && self.path_depth == self.depth {
            self.path_depth += 1;
        }
        self.depth += 1;
        State::BetweenTokens
    }

    fn close(&mut self, bracket: u8) -> State {
        // On the path, only the second level is an array.
        let expected = if self.depth == 2 { b']' } else { b'}' };
        if self.depth == 0 || self.depth == self.path_depth && bracket != expected {
            return State::Stopped;
        }
        self.depth -= 1;
        self.path_depth = self.path_depth.min(self.depth);
        State::BetweenTokens
    }
}

/// The end of a string, limited to the length of the longest link annotation.
#[derive(Debug, Default)]
struct Tail {
    end: Vec<u8>,
    /// Whether the start of the string was dropped.
    is_truncated: bool,
}

impl Tail {
    fn clear(&mut self) {
        self.end.clear();
        self.is_truncated = false;
    }

    fn push(&mut self, bytes: &[u8]) {
        let excess = (self.end.len() + bytes.len()).saturating_sub(MAX_ANNOTATION_BYTES);
        self.is_truncated |= excess > 0;
        self.end.drain(..excess.min(self.end.len()));
        let skipped = bytes.len().saturating_sub(MAX_ANNOTATION_BYTES);
        self.end.extend_from_slice(bytes.get(skipped..).unwrap_or_default());
    }

    /// Whether the whole string is this text, ignoring case.
    fn is(&self, text: &str) -> bool {
        !self.is_truncated && self.end.eq_ignore_ascii_case(text.as_bytes())
    }
}
