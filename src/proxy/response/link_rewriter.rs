//! Rewriting the links of one body.

use std::collections::VecDeque;

use super::links::Links;
use crate::proxy::rewrite::{KnownPrefix, Link, LinkMap};

/// Rewrites the links of one body. A page contains thousands of links that differ only in their keys. So the part up to
/// the entity set is rewritten once and reused.
#[derive(Debug)]
pub struct LinkRewriter {
    links: Links,
    /// Whether a link was rewritten before. The entity set of a single link would never be reused, so it is not stored.
    has_rewritten: bool,
    /// The most recent entity sets, at most [`MAX_ENTITY_SETS`].
    entity_sets: VecDeque<EntitySet>,
}

/// The URL of an entity set, upstream and local.
#[derive(Debug)]
struct EntitySet {
    upstream: String,
    local: String,
}

impl LinkRewriter {
    pub fn new(links: Links) -> Self {
        Self { links, has_rewritten: false, entity_sets: VecDeque::new() }
    }

    /// The entity set of a rewritten link, if its key can be separated.
    fn entity_set(&self, path: &str, local: &str) -> Option<EntitySet> {
        let resource = self.links.recognize(path)?;
        let key = resource.suffix_of_set().filter(|key| plain_key(key.as_bytes()) == Some(key.len()))?;
        let (upstream, local) = (path.strip_suffix(key)?.to_owned(), local.strip_suffix(key)?.to_owned());
        let is_plain = needs_no_escaping(&upstream) && needs_no_escaping(&local);
        (is_plain && self.links.stays_on_its_route(&local)).then_some(EntitySet { upstream, local })
    }
}

impl LinkMap for LinkRewriter {
    fn map(&mut self, Link { location, query, .. }: Link<'_>) -> Option<String> {
        if let Some(known) = self.known_prefix(location.as_bytes())
            && let Some(key) = location.get(known.length..).filter(|key| key.len() == known.rest_length)
        {
            return Some([known.replacement, key].concat());
        }
        let local = self.links.local(location, query)?;
        if std::mem::replace(&mut self.has_rewritten, true)
            && let Some(set) = self.entity_set(location, &local)
        {
            self.entity_sets.truncate(MAX_ENTITY_SETS - 1);
            self.entity_sets.push_front(set);
        }
        Some(local)
    }

    fn known_prefix(&self, value: &[u8]) -> Option<KnownPrefix<'_>> {
        self.entity_sets.iter().find_map(|EntitySet { upstream, local }| {
            let rest_length = plain_key(value.strip_prefix(upstream.as_bytes())?)?;
            Some(KnownPrefix { length: upstream.len(), replacement: local, rest_length })
        })
    }
}

/// The number of entity sets to remember: enough for an entity and its expanded entities.
const MAX_ENTITY_SETS: usize = 4;

/// The length of the part after an entity set, if it is identical in both URLs and cannot change the route. This holds
/// for properties and for keys of plain characters.
fn plain_key(text: &[u8]) -> Option<usize> {
    let is_all_plain = |block: &&[u8]| block.iter().fold(true, |plain, &byte| plain & is_plain(byte));
    let blocks = text.chunks_exact(BLOCK).take_while(is_all_plain).count() * BLOCK;
    let rest = text.get(blocks..)?;
    let length = blocks + rest.iter().position(|&byte| !is_plain(byte)).unwrap_or(rest.len());
    let key = text.get(..length)?;
    let starts_at_key = matches!(key.first(), None | Some(b'(' | b'/'));
    // No branch per byte: double slashes are rare.
    let pairs = key.iter().zip(key.iter().skip(1));
    let is_doubled = pairs.fold(false, |found, (&one, &next)| found | ((one == b'/') & (next == b'/')));
    (starts_at_key && !is_doubled && key.last() != Some(&b'/')).then_some(length)
}

/// Bytes that are looked at at once: a page contains a hundred thousand bytes of keys.
const BLOCK: usize = 16;

/// Whether it is a character of plain keys. Without branches, so that a block needs few instructions.
fn is_plain(byte: u8) -> bool {
    let is_letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    let is_slash_or_digit = byte.wrapping_sub(b'/') < 11;
    let is_parenthesis = byte & 0xfe == b'(';
    let is_comma_or_hyphen = byte & 0xfe == b',';
    is_letter | is_slash_or_digit | is_parenthesis | is_comma_or_hyphen | (byte == b'_') | (byte == b'=')
}

/// Whether no document format escapes any character of this text.
fn needs_no_escaping(text: &str) -> bool {
    !text.contains(|character: char| character.is_ascii_control() || "\"'\\&<>".contains(character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_plain_up_to_the_first_character_that_is_not() {
        for byte in 0..=u8::MAX {
            let expected = byte.is_ascii_alphanumeric() || b"()-_=,/".contains(&byte);
            assert_eq!(is_plain(byte), expected, "{byte}");
        }
        let key = b"(0d6b6c5e-2f5d-ee11-8df1-000d3a2a1c33)/lines";
        for length in 0..key.len() {
            for end in [&b"\""[..], b"\\", b"\".............................", b"%20", b""] {
                let text = [&key[..length], end].concat();
                let expected = (key[..length].last() != Some(&b'/')).then_some(length);
                assert_eq!(plain_key(&text), expected, "{length} {end:?}");
            }
        }
        assert_eq!(plain_key(b"(1)//lines\""), None);
        assert_eq!(plain_key(b"x(1)\""), None);
    }
}
