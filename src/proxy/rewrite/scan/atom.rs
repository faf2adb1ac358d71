//! The links in Atom and AtomPub documents.

use super::xml::{Vocabulary, split_name};

/// The links of Atom (RFC 4287) and AtomPub (RFC 5023), recognized by their parent elements. A data property may have
/// any name, but is never a child of a feed, entry, link or service.
#[derive(Debug, Default)]
pub struct Atom {
    /// The open elements from the root to the last known one.
    known: Vec<Element>,
    /// The number of open elements below them.
    unknown_depth: u64,
    /// The prefix of the root, shared by all known elements except `inline`.
    prefix: Option<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Element {
    Feed,
    Entry,
    Id,
    Link,
    /// The expanded target of a link (OData).
    Inline,
    Content,
    Service,
    Workspace,
    Collection,
}

/// The maximum number of known open elements. Each level of `$expand` needs four.
const MAX_DEPTH: usize = 256;

impl Atom {
    fn element(&self, parent: Option<Element>, local: &[u8]) -> Option<Element> {
        Some(match (parent, local) {
            (None | Some(Element::Inline), b"feed") => Element::Feed,
            (None | Some(Element::Inline | Element::Feed), b"entry") => Element::Entry,
            (Some(Element::Feed | Element::Entry), b"id") => Element::Id,
            (Some(Element::Feed | Element::Entry), b"link") => Element::Link,
            (Some(Element::Link), b"inline") => Element::Inline,
            (Some(Element::Entry), b"content") => Element::Content,
            (None, b"service") => Element::Service,
            (Some(Element::Service), b"workspace") => Element::Workspace,
            (Some(Element::Workspace), b"collection") => Element::Collection,
            _ => return None,
        })
    }

    /// The current element, if it is known.
    fn current(&self) -> Option<Element> {
        if self.unknown_depth == 0 { self.known.last().copied() } else { None }
    }
}

impl Vocabulary for Atom {
    fn open(&mut self, element: &[u8]) {
        let (prefix, local) = split_name(element);
        let parent = self.known.last().copied();
        let is_root = self.prefix.is_none();
        let root_prefix = self.prefix.get_or_insert_with(|| prefix.to_vec());
        let prefix_fits = root_prefix == prefix || local == b"inline";
        // Only the first root counts.
        let may_be_known =
            self.unknown_depth == 0 && prefix_fits && (parent.is_some() || is_root) && self.known.len() < MAX_DEPTH;
        match self.element(parent, local).filter(|_| may_be_known) {
            Some(element) => self.known.push(element),
            None => self.unknown_depth += 1,
        }
    }

    fn attribute_is_link(&self, name: &[u8]) -> bool {
        match self.current() {
            Some(Element::Link | Element::Collection) => matches!(name, b"xml:base" | b"href"),
            Some(Element::Content) => matches!(name, b"xml:base" | b"src"),
            Some(_) => name == b"xml:base",
            None => false,
        }
    }

    fn text_is_link(&self) -> bool {
        self.current() == Some(Element::Id)
    }

    fn close(&mut self) {
        match self.unknown_depth.checked_sub(1) {
            Some(depth) => self.unknown_depth = depth,
            None => self.known.truncate(self.known.len().saturating_sub(1)),
        }
    }
}
