//! The replacement of one link.

use super::enclosure::Enclosure;
use super::escape::{Decoded, Style};
use super::link_map::{Link, LinkMap};

/// The text that replaces a link up to its query or fragment.
pub struct Replacement {
    pub text: String,
    pub enclosure: Enclosure,
    pub style: Style,
    /// The position in the value where the replaced part ends.
    pub until: usize,
}

impl Replacement {
    /// Decodes the first `end` bytes of a value and maps them. `None` if the value stays unchanged.
    pub fn new(map: &mut impl LinkMap, enclosure: Enclosure, value: &[u8], end: usize) -> Option<Self> {
        let Decoded { text, split, until, style } = enclosure.decode(value.get(..end)?)?;
        let (location, rest) = text.split_at_checked(split)?;
        let authority = location.get("https://".len()..)?;
        let path = authority.find('/').and_then(|slash| authority.get(slash..)).unwrap_or_default();
        let query = rest.strip_prefix('?').map(|query| query.split_once('#').map_or(query, |(query, _)| query));
        let text = map.map(Link { location, path, query })?;
        Some(Self { text, enclosure, style, until })
    }
}
