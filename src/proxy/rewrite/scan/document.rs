//! The kinds of documents that contain links.

/// The kind of document in a body. It determines which values are links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    /// OData JSON: annotations that are links.
    Json,
    /// The response to a JSON `$batch`: annotations that are links, and the headers of each part.
    JsonBatch,
    /// WSDL, XML Schema and discovery documents.
    Wsdl,
    /// Atom and AtomPub, as written by OData V3.
    Atom,
}
