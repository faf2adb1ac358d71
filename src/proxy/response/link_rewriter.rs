//! Rewriting the links of one body.

use std::collections::VecDeque;

use super::links::Links;
use crate::proxy::rewrite::{Address, Known, Turn};

/// Rewrites the links of one body. A page holds thousands that differ only in their keys, so the part up to the entity
/// set is rewritten
/// once and reused.
pub struct LinkRewriter {
    links: Links,
    /// Whether there was a link already: of a single link, nothing would be reused.
    has_rewritten: bool,
    /// The latest entity sets, at most [`KNOWN_SETS`].
    known: VecDeque<KnownSet>,
}

/// The URL of an entity set, upstream and local.
struct KnownSet {
    upstream: String,
    local: String,
}

impl LinkRewriter {
    pub fn new(links: Links) -> Self {
        Self { links, has_rewritten: false, known: VecDeque::new() }
    }

    /// The entity set of a rewritten link, if it can be told apart from the key.
    fn known_set(&self, path: &str, local: &str) -> Option<KnownSet> {
        let resource = self.links.recognize(path)?;
        let key = resource.suffix_of_set().filter(|key| plain_key(key.as_bytes()) == Some(key.len()))?;
        let (upstream, local) = (path.strip_suffix(key)?.to_owned(), local.strip_suffix(key)?.to_owned());
        let is_plain = needs_no_escaping(&upstream) && needs_no_escaping(&local);
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
        if std::mem::replace(&mut self.has_rewritten, true)
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

/// Enough for an entry and the entries expanded in it.
const KNOWN_SETS: usize = 4;

/// The length of what follows an entity set, if it is the same on both sides and can't change the route. That is so for
/// keys of plain characters, and for properties.
fn plain_key(text: &[u8]) -> Option<usize> {
    let length = text.iter().position(|byte| !IS_PLAIN[usize::from(*byte)]).unwrap_or(text.len());
    let key = text.get(..length)?;
    let begins = matches!(key.first(), None | Some(b'(' | b'/'));
    // Branch-free: there is hardly ever one.
    let pairs = key.iter().zip(key.iter().skip(1));
    let is_doubled = pairs.fold(false, |found, (&one, &next)| found | ((one == b'/') & (next == b'/')));
    (begins && !is_doubled && key.last() != Some(&b'/')).then_some(length)
}

/// The characters of plain keys, by byte: a page has a hundred thousand of them.
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

/// Whether no document format escapes any of it.
fn needs_no_escaping(text: &str) -> bool {
    !text.contains(|character: char| character.is_ascii_control() || "\"'\\&<>".contains(character))
}
