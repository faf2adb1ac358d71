//! The names of the unbound actions in a `$metadata` document.
//!
//! Source: OData CSDL XML 4.0, "Element edm:ActionImport"; Business Central, "Creating and interacting with an OData
//! V4 unbound action".

use std::collections::HashSet;

/// Collects the names of action imports from a document that arrives in pieces; memory grows only with the names.
#[derive(Debug, Default)]
pub struct ActionImports {
    /// The names found so far.
    pub names: HashSet<String>,
    /// The incomplete tag.
    tag: Vec<u8>,
}

impl ActionImports {
    /// Reads the next piece of the document.
    pub fn push(&mut self, piece: &[u8]) {
        for &byte in piece {
            match byte {
                b'<' => {
                    self.tag.clear();
                    self.tag.push(byte);
                }
                b'>' => {
                    self.names.extend(import_in(&self.tag));
                    self.tag.clear();
                }
                _ if self.tag.is_empty() || self.tag.len() >= MAX_TAG_BYTES => {}
                _ => self.tag.push(byte),
            }
        }
    }
}

/// The `Name` of an `ActionImport` tag. Names are plain identifiers, without XML escapes.
fn import_in(tag: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(tag).ok()?.strip_prefix("<ActionImport")?;
    let value = text.split_once(" Name=").or_else(|| text.split_once("\tName="))?.1;
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let name = value.get(1..)?.split(quote).next()?;
    Some(name.to_owned())
}

/// Far longer than the tags that matter.
const MAX_TAG_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"<edmx:Edmx><Schema Namespace="NAV"><Action Name="Tools_Echo"/><EntityContainer Name="NAV">
        <EntitySet Name="Customer" EntityType="NAV.Customer"/><ActionImport Name="Tools_Echo" Action="NAV.Tools_Echo"/>
        <ActionImport Action='NAV.Tools_Post' Name='Tools_Post' /></EntityContainer></Schema></edmx:Edmx>"#;

    #[test]
    fn imports_are_found_however_the_document_is_split() {
        for size in 1..DOCUMENT.len() {
            let mut imports = ActionImports::default();
            DOCUMENT.as_bytes().chunks(size).for_each(|piece| imports.push(piece));
            let expected = HashSet::from(["Tools_Echo".to_owned(), "Tools_Post".to_owned()]);
            assert_eq!(imports.names, expected, "{size}");
        }
    }

    #[test]
    fn malformed_documents_contain_no_imports() {
        for text in ["", "<", "<ActionImport", "<ActionImport Name=>", "<ActionImport Name=\"x", "{}"] {
            let mut imports = ActionImports::default();
            imports.push(text.as_bytes());
            assert!(imports.names.is_empty(), "{text}");
        }
    }
}
