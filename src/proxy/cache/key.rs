//! What makes two requests identical: the route, the applications that may send them, and everything of them that
//! reaches Business Central and can matter there.

use hyper::Uri;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use crate::proxy::environment::application_pool::Senders;

/// The key of a response.
///
/// Every header counts except those known not to matter: an unknown one may select the response.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The route's number.
    route: u64,
    /// Its client's own application may see other data.
    senders: Senders,
    /// Path and query at Business Central.
    target: Uri,
    /// Sorted by name.
    headers: Box<[(HeaderName, HeaderValue)]>,
}

impl Key {
    /// `headers`: as they are sent, without the token.
    pub fn new(route: u64, senders: Senders, target: &Uri, headers: &HeaderMap) -> Self {
        let is_tracked = headers.iter().filter(|(name, _)| !is_ignored(name));
        let mut headers: Box<[_]> = is_tracked.map(|(name, value)| (name.clone(), value.clone())).collect();
        // Stable: the values of one name keep their order.
        headers.sort_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
        Self { route, senders, target: target.clone(), headers }
    }

    /// Its memory, in bytes.
    pub fn size(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + HEADER_OVERHEAD);
        size_of::<Self>()
            + self.target.path_and_query().map_or(0, |target| target.as_str().len())
            + headers.sum::<usize>()
    }
}

/// Whether Business Central's response is the same whatever this header says.
pub fn is_ignored(name: &HeaderName) -> bool {
    IGNORED.contains(&name.as_str())
}

/// Who asks, by which hops, under which id in their monitoring; and directives for caches, which this cache follows
/// itself.
const IGNORED: [&str; 18] = [
    "cache-control",
    "client-request-id",
    "correlation-context",
    "from",
    "host",
    "if-none-match",
    "pragma",
    "priority",
    "referer",
    "request-id",
    "traceparent",
    "tracestate",
    "user-agent",
    "via",
    "x-correlation-id",
    "x-ms-client-request-id",
    "x-ms-correlation-id",
    "x-request-id",
];

/// Memory of a header besides its text.
pub const HEADER_OVERHEAD: usize = size_of::<(HeaderName, HeaderValue)>();

#[cfg(test)]
mod tests {
    use super::*;

    fn key(target: &'static str, headers: &[(&'static str, &'static str)]) -> Key {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        Key::new(1, Senders::Shared, &Uri::from_static(target), &map)
    }

    #[test]
    fn whatever_may_select_the_response_changes_the_key() {
        let known = key("/a?b", &[("accept", "application/json"), ("prefer", "odata.maxpagesize=5")]);
        let same =
            key("/a?b", &[("prefer", "odata.maxpagesize=5"), ("user-agent", "x"), ("accept", "application/json")]);
        assert_eq!(known, same);
        for other in [
            key("/a?B", &[("accept", "application/json"), ("prefer", "odata.maxpagesize=5")]),
            key("/a?b", &[("accept", "application/xml"), ("prefer", "odata.maxpagesize=5")]),
            key("/a?b", &[("accept", "application/json")]),
            key("/a?b", &[("accept", "application/json"), ("prefer", "odata.maxpagesize=5"), ("x-unheard-of", "")]),
            key("/a?b", &[("accept", "application/json"), ("accept", "b"), ("prefer", "odata.maxpagesize=5")]),
        ] {
            assert_ne!(known, other);
        }
        for matters in ["accept-language", "data-access-intent", "isolation", "if-match", "if-modified-since", "range"]
        {
            assert_ne!(key("/a", &[]), key("/a", &[(matters, "x")]), "{matters}");
        }
        assert_ne!(key("/a", &[("prefer", "a"), ("prefer", "b")]), key("/a", &[("prefer", "b"), ("prefer", "a")]));
    }
}
