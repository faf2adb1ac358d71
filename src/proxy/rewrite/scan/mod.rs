//! Finds the values in a body that may be links. Each kind of document has its own scanner.

mod atom;
mod batch;
mod candidate;
mod document;
mod json;
mod scanner;
mod wsdl;
mod xml;

pub use document::Document;
pub use scanner::DocumentScanner;
