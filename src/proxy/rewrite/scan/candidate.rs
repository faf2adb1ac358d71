//! A value that may be a link.

use crate::proxy::rewrite::enclosure::Enclosure;

/// A value that may be a link, by its position in the document.
pub struct Candidate {
    /// The offset of its first byte in the bytes scanned.
    pub offset: usize,
    pub enclosure: Enclosure,
}
