//! Selects the scanner for a kind of document.

use super::atom::Atom;
use super::batch::BatchScanner;
use super::candidate::Candidate;
use super::document::Document;
use super::json::JsonScanner;
use super::wsdl::Wsdl;
use super::xml::XmlScanner;

/// The scanner for one kind of document.
///
/// `scan` stops at the first byte of the next candidate. The next call may start there, or further on in the same
/// value. It must not start after the end of the value, because the scanner has to see that end.
#[derive(Debug)]
pub enum DocumentScanner {
    Json(JsonScanner),
    Batch(BatchScanner),
    Wsdl(XmlScanner<Wsdl>),
    Atom(XmlScanner<Atom>),
}

impl DocumentScanner {
    pub fn new(document: Document) -> Self {
        match document {
            Document::Json => Self::Json(JsonScanner::default()),
            Document::JsonBatch => Self::Batch(BatchScanner::default()),
            Document::Wsdl => Self::Wsdl(XmlScanner::default()),
            Document::Atom => Self::Atom(XmlScanner::default()),
        }
    }

    pub fn scan(&mut self, bytes: &[u8]) -> Option<Candidate> {
        match self {
            Self::Json(json) => json.scan(bytes),
            Self::Batch(batch) => batch.scan(bytes),
            Self::Wsdl(xml) => xml.scan(bytes),
            Self::Atom(xml) => xml.scan(bytes),
        }
    }
}
