//! Where WSDL, XML Schema and discovery documents hold addresses.

use super::xml::{Vocabulary, split_name};

/// The places of WSDL 1.1, XML Schema and DISCO; all are attributes without a prefix.
#[derive(Debug, Default)]
pub struct Wsdl {
    /// Those of the tag at hand that are addresses.
    attributes: &'static [&'static str],
}

impl Vocabulary for Wsdl {
    fn open(&mut self, element: &[u8]) {
        let (_, local) = split_name(element);
        self.attributes = match local {
            // Where the service is.
            b"address" => &["location"],
            b"import" | b"include" => &["location", "schemaLocation"],
            b"contractRef" | b"discoveryRef" | b"schemaRef" => &["ref", "docRef"],
            _ => &[],
        };
    }

    fn attribute_is_address(&self, name: &[u8]) -> bool {
        self.attributes.iter().any(|attribute| attribute.as_bytes() == name)
    }

    fn text_is_address(&self) -> bool {
        false
    }

    fn close(&mut self) {}
}
