//! The answer to a JSON `$batch`: link annotations anywhere, and the address headers of each part.
//!
//! A part's headers are `{"responses": [{"headers": {…}}]}` and nothing else: the same names in a part's body are data. So this
//! reads token by token and knows where it is.

use memchr::memchr2;

use super::Place;
use super::escape::Enclosure;
use super::json::{LONGEST_ANNOTATION, is_link, is_space};

/// The headers whose values are addresses (OData JSON Format 4.01, 19.2; OData Protocol 4.0, 8.3).
const HEADERS: [&str; 3] = ["Location", "Content-Location", "OData-EntityId"];

/// Reads a batch's answer token by token.
#[derive(Debug, Default)]
pub struct Batch {
    state: State,
    /// The last string that may be a key; while a member's value is awaited, its key.
    key: Tail,
    /// How many objects and arrays are open.
    depth: u64,
    /// How many of them, from the outermost on, lie on the way to a part's headers.
    on_way: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    BetweenTokens,
    /// Inside a string, which is a key if a colon follows.
    Key,
    AfterKey,
    /// Inside a string that is the value of a member.
    Value,
    /// Inside either, behind a backslash.
    Escape {
        in_key: bool,
    },
    AfterColon,
    /// The body is something else.
    Lost,
}

/// How far the way to a part's headers goes: the answer, its `responses`, a part, its `headers`.
const HEADERS_DEPTH: u64 = 4;

impl Batch {
    pub fn scan(&mut self, bytes: &[u8]) -> Option<Place> {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..) {
            let Some(&byte) = rest.first() else { break };
            at += 1;
            self.state = match (self.state, byte) {
                (State::Lost, _) => return None,
                (State::Key | State::Value, _) => {
                    let (read, next) = self.string(rest, self.state == State::Key);
                    at += read - 1;
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
                    if self.value_may_be_address() {
                        return Some(Place { at, enclosure: Enclosure::JsonString });
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
                // Numbers, true, false and null; or the mark some put before everything.
                (State::BetweenTokens | State::AfterColon, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'+' | b'.' | b'E') => {
                    State::BetweenTokens
                }
                (State::BetweenTokens, 0xef | 0xbb | 0xbf) if self.depth == 0 => State::BetweenTokens,
                _ => State::Lost,
            };
        }
        None
    }

    /// Reads inside a string, which is not at the end of the bytes yet.
    fn string(&mut self, rest: &[u8], in_key: bool) -> (usize, State) {
        let found = memchr2(b'"', b'\\', rest);
        let is_end = found.is_some_and(|found| rest.get(found) == Some(&b'"'));
        let read = found.map_or(rest.len(), |found| found + 1);
        if in_key {
            // With the backslash, which shows that this is no plain name.
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

    fn value_may_be_address(&self) -> bool {
        let in_headers = self.depth == HEADERS_DEPTH && self.on_way == HEADERS_DEPTH;
        is_link(&self.key.end) || in_headers && HEADERS.iter().any(|header| self.key.is(header))
    }

    fn open(&mut self, bracket: u8, is_member: bool) -> State {
        let leads_on = match (self.depth, bracket) {
            (0 | 2, b'{') => true,
            (1, b'[') => is_member && self.key.is("responses"),
            (3, b'{') => is_member && self.key.is("headers"),
            _ => false,
        };
        if leads_on && self.on_way == self.depth {
            self.on_way += 1;
        }
        self.depth += 1;
        State::BetweenTokens
    }

    fn close(&mut self, bracket: u8) -> State {
        // On the way, objects and arrays take turns but at its end.
        let expected = if self.depth == 2 { b']' } else { b'}' };
        if self.depth == 0 || self.depth == self.on_way && bracket != expected {
            return State::Lost;
        }
        self.depth -= 1;
        self.on_way = self.on_way.min(self.depth);
        State::BetweenTokens
    }
}

/// A string of which only the end is known when it is long.
#[derive(Debug, Default)]
struct Tail {
    end: Vec<u8>,
    is_cut: bool,
}

impl Tail {
    fn clear(&mut self) {
        self.end.clear();
        self.is_cut = false;
    }

    fn push(&mut self, bytes: &[u8]) {
        let excess = (self.end.len() + bytes.len()).saturating_sub(LONGEST_ANNOTATION);
        self.is_cut |= excess > 0;
        self.end.drain(..excess.min(self.end.len()));
        let skipped = bytes.len().saturating_sub(LONGEST_ANNOTATION);
        self.end.extend_from_slice(bytes.get(skipped..).unwrap_or_default());
    }

    /// Whether the whole string is this text, in any case.
    fn is(&self, text: &str) -> bool {
        !self.is_cut && self.end.eq_ignore_ascii_case(text.as_bytes())
    }
}
