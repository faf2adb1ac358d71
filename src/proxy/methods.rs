//! Methods: those a request counts as, and what they mean.

use hyper::Method;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use crate::config::METHODS;

/// Whether a request with this method only reads.
pub fn only_reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Whether a request with these methods creates something.
pub fn creates(methods: &[Method]) -> bool {
    methods.iter().all(|method| method == Method::POST)
}

/// The methods a request counts as: its own, and those that old OData clients hide behind a POST.
pub fn methods(own: &Method, headers: &HeaderMap) -> impl Iterator<Item = Method> {
    let hidden = overrides(headers).filter_map(|(_, value)| known(value.as_bytes()));
    std::iter::once(own.clone()).chain(hidden)
}

/// Whether Business Central knows the method.
pub fn is_known(method: &Method) -> bool {
    METHODS.contains(&method.as_str())
}

/// The first header that hides an unknown method. A list of methods is unknown, too: servers differ in which counts.
pub fn unknown_override(headers: &HeaderMap) -> Option<&HeaderName> {
    overrides(headers).find(|(_, value)| known(value.as_bytes()).is_none()).map(|(name, _)| name)
}

/// A method of Business Central's, in any case.
pub fn known(name: &[u8]) -> Option<Method> {
    let name = METHODS.iter().find(|known| known.as_bytes().eq_ignore_ascii_case(name))?;
    Method::from_bytes(name.as_bytes()).ok()
}

fn overrides(headers: &HeaderMap) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
    headers.iter().filter(|(name, _)| is_override(name.as_str()))
}

/// Servers that know headers as variables read `_` and `-` alike.
fn is_override(name: &str) -> bool {
    let is_alike = |(known, byte)| known == byte || (known, byte) == (b'-', b'_');
    OVERRIDES.iter().any(|known| known.len() == name.len() && known.bytes().zip(name.bytes()).all(is_alike))
}

/// Headers that hide a method behind another one, in lower case.
pub const OVERRIDES: [&str; 3] = ["x-http-method", "x-http-method-override", "x-method-override"];

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn every_override_counts_in_every_spelling() {
        for name in OVERRIDES {
            for name in [name, &name.replace('-', "_"), &name.replacen('-', "_", 1)] {
                let name: &'static str = name.to_owned().leak();
                let headers = headers(&[("x-http-methods", "PUT"), (name, "get"), (name, "Delete")]);
                let counted: Vec<Method> = methods(&Method::POST, &headers).collect();
                assert_eq!(counted, [Method::POST, Method::GET, Method::DELETE], "{name}");
                assert_eq!(unknown_override(&headers), None);
            }
        }
    }

    #[test]
    fn what_names_no_single_method_is_unknown() {
        for value in ["", "TRACK", "DELETE, GET", "DELETE;", "\"DELETE\""] {
            assert!(
                unknown_override(&headers(&[("x-http-method", "GET"), ("x-http_method", value)])).is_some(),
                "{value}"
            );
        }
    }
}
