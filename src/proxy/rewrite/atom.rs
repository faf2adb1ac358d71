//! Where Atom and AtomPub documents hold addresses.

use super::xml::{Vocabulary, split_name};

/// The places of Atom (RFC 4287) and AtomPub (RFC 5023), known by the elements around them: a data property may have any name, but
/// none stands directly in a feed, entry, link or service.
#[derive(Debug, Default)]
pub struct Atom {
    /// The open elements from the root on, as long as they are ours.
    ours: Vec<Element>,
    /// How many elements are open below them.
    others: u64,
    /// The root's prefix, which all of ours but `inline` have.
    prefix: Option<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Element {
    Feed,
    Entry,
    Id,
    Link,
    /// What a link was expanded to (OData).
    Inline,
    Content,
    Service,
    Workspace,
    Collection,
}

/// How deep ours may be nested. An `$expand` needs four elements a level.
const DEEPEST: usize = 256;

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

    /// The tag at hand, if it is one of ours.
    fn current(&self) -> Option<Element> {
        if self.others == 0 { self.ours.last().copied() } else { None }
    }
}

impl Vocabulary for Atom {
    fn open(&mut self, element: &[u8]) {
        let (prefix, local) = split_name(element);
        let parent = self.ours.last().copied();
        let is_root = self.prefix.is_none();
        let root_prefix = self.prefix.get_or_insert_with(|| prefix.to_vec());
        let fits = root_prefix == prefix || local == b"inline";
        // A second root is none.
        let may_be_ours = self.others == 0 && fits && (parent.is_some() || is_root) && self.ours.len() < DEEPEST;
        match self.element(parent, local).filter(|_| may_be_ours) {
            Some(element) => self.ours.push(element),
            None => self.others += 1,
        }
    }

    fn attribute_is_address(&self, name: &[u8]) -> bool {
        match self.current() {
            Some(Element::Link | Element::Collection) => matches!(name, b"xml:base" | b"href"),
            Some(Element::Content) => matches!(name, b"xml:base" | b"src"),
            Some(_) => name == b"xml:base",
            None => false,
        }
    }

    fn text_is_address(&self) -> bool {
        self.current() == Some(Element::Id)
    }

    fn close(&mut self) {
        match self.others.checked_sub(1) {
            Some(others) => self.others = others,
            None => self.ours.truncate(self.ours.len().saturating_sub(1)),
        }
    }
}
