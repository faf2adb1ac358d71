//! The links in WSDL, XML Schema and discovery documents.

use super::xml::{Vocabulary, split_name};

/// The link attributes of WSDL 1.1, XML Schema and DISCO. None has a prefix.
#[derive(Debug, Default)]
pub struct Wsdl {
    /// The attributes of the current tag that are links.
    attributes: &'static [&'static str],
}

impl Vocabulary for Wsdl {
    fn open(&mut self, element: &[u8]) {
        let (_, local) = split_name(element);
        self.attributes = match local {
            // The URL of the service.
            b"address" => &["location"],
            b"import" | b"include" => &["location", "schemaLocation"],
            b"contractRef" | b"discoveryRef" | b"schemaRef" => &["ref", "docRef"],
            _ => &[],
        };
    }

    fn attribute_is_link(&self, name: &[u8]) -> bool {
        self.attributes.iter().any(|attribute| attribute.as_bytes() == name)
    }

    fn text_is_link(&self) -> bool {
        false
    }

    fn close(&mut self) {}
}
