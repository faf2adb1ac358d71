//! The headers that a route changes.

use hyper::header::{HeaderMap, HeaderName, HeaderValue};

/// The headers that a route changes in both directions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderRules {
    /// Changes to requests before they go to Business Central.
    pub request: HeaderChanges,
    /// Changes to responses before they go to the client.
    pub response: HeaderChanges,
}

/// The headers to change in one direction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderChanges {
    /// Headers to set, in the order of the file. Existing values are replaced.
    pub set: Vec<(HeaderName, HeaderValue)>,
    /// Headers to remove.
    pub remove: Vec<HeaderName>,
}

impl HeaderChanges {
    /// Removes headers first and sets headers afterwards. A header in both lists is set.
    pub fn apply(&self, headers: &mut HeaderMap) {
        for name in &self.remove {
            headers.remove(name);
        }
        for (name, value) in &self.set {
            headers.insert(name, value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_is_set_occurs_once() {
        let (name, other) = (HeaderName::from_static("x-a"), HeaderName::from_static("x-b"));
        let mut headers = HeaderMap::new();
        headers.append(&name, HeaderValue::from_static("1"));
        headers.append(&name, HeaderValue::from_static("2"));
        headers.append(&other, HeaderValue::from_static("3"));
        let set = vec![(name.clone(), HeaderValue::from_static("4"))];
        HeaderChanges { set, remove: vec![name, other] }.apply(&mut headers);
        assert_eq!(headers.iter().collect::<Vec<_>>().len(), 1);
        assert_eq!(headers["x-a"], "4");
    }
}
