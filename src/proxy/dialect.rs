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
    media_types(headers, name).any(is_atom)
}

/// Whether `Accept` names XML and leaves no room for JSON.
pub fn accepts_only_xml(headers: &HeaderMap) -> bool {
    let is_any = |kind: &[u8], known: [&str; 2]| known.iter().any(|known| kind.eq_ignore_ascii_case(known.as_bytes()));
    let is_xml = |kind| is_atom(kind) || is_any(kind, ["application/xml", "text/xml"]);
    media_types(headers, &ACCEPT).any(is_xml) && media_types(headers, &ACCEPT).all(is_xml)
}

fn is_atom(kind: &[u8]) -> bool {
    kind.get(..ATOM.len()).is_some_and(|start| start.eq_ignore_ascii_case(ATOM))
}

/// The media types of a header, without parameters.
fn media_types<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h [u8]> {
    let without_parameters = |kind: &'h [u8]| kind.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    headers::members(headers, name).map(without_parameters)
}

/// What the media types of Atom begin with.
const ATOM: &[u8] = b"application/atom";

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
