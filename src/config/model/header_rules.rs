//! What a route changes in headers.

use hyper::header::{HeaderMap, HeaderName, HeaderValue};

/// The headers a route changes, in both directions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderRules {
    /// Changes to what Business Central gets.
    pub request: HeaderChanges,
    /// Changes to what the client gets.
    pub response: HeaderChanges,
}

/// The headers changed in one direction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderChanges {
    /// Headers to set, replacing those of the same name.
    pub set: Vec<(HeaderName, HeaderValue)>,
    /// Headers to remove.
    pub remove: Vec<HeaderName>,
}

impl HeaderChanges {
    /// Removes first, so that a header that is also set is there once.
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
    fn what_is_set_is_there_once() {
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
