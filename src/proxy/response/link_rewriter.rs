//! Rewriting the addresses of one body.

use std::collections::VecDeque;

use super::links::Links;
use crate::proxy::rewrite::{Address, Known, Turn};

/// What turns all addresses of one body. A page holds thousands that differ in their keys only, so the way up to an entity set is turned
/// once and kept.
pub struct LinkRewriter {
    links: Links,
    /// Whether there was an address already. What would be kept of the first is of no use where it is the only one.
    is_underway: bool,
    /// At most [`KNOWN_SETS`]; the latest ones.
    known: VecDeque<KnownSet>,
}

/// An entity set's address, there and here.
struct KnownSet {
    upstream: String,
    local: String,
}

impl LinkRewriter {
    pub fn new(links: Links) -> Self {
        Self { links, is_underway: false, known: VecDeque::new() }
    }

    /// The entity set of an address that was turned, if it can be told from its key.
    fn known_set(&self, path: &str, local: &str) -> Option<KnownSet> {
        let resource = self.links.recognize(path)?;
        let key = resource.suffix_of_set().filter(|key| plain_key(key.as_bytes()) == Some(key.len()))?;
        let (upstream, local) = (path.strip_suffix(key)?.to_owned(), local.strip_suffix(key)?.to_owned());
        let is_plain = is_written_plainly(&upstream) && is_written_plainly(&local);
        (is_plain && self.links.stays_on_its_route(&local)).then_some(KnownSet { upstream, local })
    }
}

impl Turn for LinkRewriter {
    fn turn(&mut self, Address { location, query, .. }: Address<'_>) -> Option<String> {
        if let Some(known) = self.known(location.as_bytes())
            && let Some(key) = location.get(known.beginning..).filter(|key| key.len() == known.rest)
        {
            return Some([known.replacement, key].concat());
        }
        let local = self.links.local(location, query)?;
        if std::mem::replace(&mut self.is_underway, true)
            && let Some(set) = self.known_set(location, &local)
        {
            self.known.truncate(KNOWN_SETS - 1);
            self.known.push_front(set);
        }
        Some(local)
    }

    fn known(&self, value: &[u8]) -> Option<Known<'_>> {
        self.known.iter().find_map(|KnownSet { upstream, local }| {
            let rest = plain_key(value.strip_prefix(upstream.as_bytes())?)?;
            Some(Known { beginning: upstream.len(), replacement: local, rest })
        })
    }
}

/// What an entry and the entries expanded in it need.
const KNOWN_SETS: usize = 4;

/// The length of what follows an entity set, if it is written alike on both sides and can't lead elsewhere: keys of plain characters, and
/// properties.
fn plain_key(text: &[u8]) -> Option<usize> {
    let length = text.iter().position(|byte| !IS_PLAIN[usize::from(*byte)]).unwrap_or(text.len());
    let key = text.get(..length)?;
    let begins = matches!(key.first(), None | Some(b'(' | b'/'));
    // Without a branch per byte: there is hardly ever one.
    let pairs = key.iter().zip(key.iter().skip(1));
    let is_doubled = pairs.fold(false, |found, (&one, &next)| found | ((one == b'/') & (next == b'/')));
    (begins && !is_doubled && key.last() != Some(&b'/')).then_some(length)
}

/// The characters of plain keys, by their byte: a page has a hundred thousand of them.
const IS_PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = (byte as u8).is_ascii_alphanumeric()
            || matches!(byte as u8, b'(' | b')' | b'-' | b'_' | b'=' | b',' | b'/');
        byte += 1;
    }
    table
};

/// Whether no document escapes anything in it.
fn is_written_plainly(text: &str) -> bool {
    !text.contains(|character: char| character.is_ascii_control() || "\"'\\&<>".contains(character))
}
