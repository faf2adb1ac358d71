//! What a link is, and which local link replaces it.

/// An absolute https link to one of the configured authorities, with the document's escaping removed. Percent-encoding
/// is preserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link<'a> {
    /// From the scheme up to the first `?` or `#`: the part that is replaced. Scheme and host keep their case, and an
    /// explicit `:443` is kept.
    pub location: &'a str,
    /// The part of `location` after the authority: empty, or starting with a slash.
    pub path: &'a str,
    /// The part between `?` and `#`. It stays in the document unchanged.
    pub query: Option<&'a str>,
}

/// A map from links of the service to local links.
pub trait LinkMap {
    /// Returns the replacement for the link's `location`, absolute and unescaped. `None` leaves the link unchanged.
    fn map(&mut self, link: Link<'_>) -> Option<String>;

    /// Returns a prefix of these raw bytes whose replacement is already known. This skips decoding and mapping.
    fn known_prefix(&self, _value: &[u8]) -> Option<KnownPrefix<'_>> {
        None
    }
}

/// The prefix of a link whose replacement is already known. It contains no characters that a document format escapes.
#[derive(Debug, Clone, Copy)]
pub struct KnownPrefix<'m> {
    /// The length of the prefix in bytes.
    pub length: usize,
    /// The text that replaces the prefix.
    pub replacement: &'m str,
    /// The length in bytes of the unchanged rest. The prefix applies only if the value ends after it.
    pub rest_length: usize,
}

impl<F: FnMut(Link<'_>) -> Option<String>> LinkMap for F {
    fn map(&mut self, link: Link<'_>) -> Option<String> {
        self(link)
    }
}
