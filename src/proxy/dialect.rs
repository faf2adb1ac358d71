//! In which form a client reads errors, told from its request's headers.

use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName};

use super::headers;
use crate::business_central::{Dialect, Surface};

/// The dialect of a client of this surface; `None`: no route was found.
pub fn dialect(surface: Option<&Surface>, speaks_soap: bool, reads_atom: bool) -> Dialect {
    match surface {
        Some(Surface::Soap) => Dialect::Soap,
        Some(Surface::Nav | Surface::Environment) | None if speaks_soap => Dialect::Soap,
        _ if reads_atom => Dialect::Atom,
        _ => Dialect::OData,
    }
}

/// Whether these are a SOAP call's headers.
pub fn looks_like_soap(headers: &HeaderMap) -> bool {
    let is_xml = headers.get(CONTENT_TYPE).is_some_and(|kind| {
        let kind = kind.as_bytes();
        kind.starts_with(b"text/xml") || kind.starts_with(b"application/soap+xml")
    });
    is_xml || headers.contains_key(headers::SOAP_ACTION)
}

/// Whether the client reads errors as Atom services write them, and not as JSON.
pub fn reads_atom(headers: &HeaderMap) -> bool {
    has_atom(headers, &CONTENT_TYPE) && !headers.contains_key(ACCEPT) || accepts_only_xml(headers)
}

/// Whether a header names the media type of Atom.
pub fn has_atom(headers: &HeaderMap, name: &HeaderName) -> bool {
    media_types(headers, name).any(|kind| kind.starts_with("application/atom"))
}

/// Whether `Accept` names XML and leaves no room for JSON.
pub fn accepts_only_xml(headers: &HeaderMap) -> bool {
    let is_xml =
        |kind: &String| kind.starts_with("application/atom") || kind == "application/xml" || kind == "text/xml";
    media_types(headers, &ACCEPT).any(|kind| is_xml(&kind)) && media_types(headers, &ACCEPT).all(|kind| is_xml(&kind))
}

/// The media types of a header, in lower case and without parameters.
fn media_types(headers: &HeaderMap, name: &HeaderName) -> impl Iterator<Item = String> {
    headers::members(headers, name).map(|kind| {
        let kind = kind.split(|&byte| byte == b';').next().unwrap_or_default();
        String::from_utf8_lossy(kind.trim_ascii()).to_ascii_lowercase()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_asks_for_nothing_else_reads_atom() {
        for (accept, kind, reads) in [
            (Some("application/atom+xml,application/xml"), None, true),
            (Some("application/atom+xml;type=feed, application/atomsvc+xml;q=0.8"), None, true),
            (Some("application/atom+xml, application/json"), None, false),
            (Some("text/html,application/xml;q=0.9,*/*;q=0.8"), None, false),
            (Some("*/*"), Some("application/atom+xml"), false),
            (None, Some("application/atom+xml;type=entry"), true),
            (None, Some("application/json"), false),
            (None, None, false),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in [(ACCEPT, accept), (CONTENT_TYPE, kind)] {
                if let Some(value) = value {
                    headers.insert(name, value.parse().unwrap());
                }
            }
            assert_eq!(reads_atom(&headers), reads, "{accept:?} {kind:?}");
        }
    }
}
