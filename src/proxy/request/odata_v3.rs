//! OData V3, which Business Central online no longer speaks: known by its signs, and refused in words its programs can read.
//!
//! What only reads and takes JSON passes whatever it says of versions: V4 answers it with JSON. All else would fail there in words that help
//! nobody, or be understood differently.

use hyper::Method;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName};
use hyper::http::request::Parts;

use crate::business_central::Surface;
use crate::business_central::address::AddressError;
use crate::config;
use crate::proxy::rejection::{Kind, Refusal};
use crate::proxy::{exchange, headers};

/// Whether a program reads errors as Atom services write them, and not as JSON.
pub fn reads_atom(headers: &HeaderMap) -> bool {
    has_atom(headers, &CONTENT_TYPE) && !headers.contains_key(ACCEPT) || wants_nothing_but_xml(headers)
}

/// Refuses what V4 does not know, at an address of V4. `environment` routes are not looked into.
pub fn refuse(settings: &config::Route, head: &Parts) -> Result<(), Refusal> {
    if matches!(settings.surface, Surface::Soap | Surface::Environment) {
        return Ok(());
    }
    let is_merge = |method: Method| method.as_str() == "MERGE";
    let speaks_of_old_versions = headers::OLD_VERSIONS.iter().any(|name| head.headers.contains_key(name));
    let (sign, instead) = if headers::methods(&head.method, &head.headers).any(is_merge) {
        ("the method MERGE", "send PATCH instead")
    } else if has_atom(&head.headers, &CONTENT_TYPE) {
        ("an Atom document", "send JSON instead")
    } else if has_atom(&head.headers, &ACCEPT) && wants_nothing_but_xml(&head.headers) {
        ("a request for Atom", "ask for JSON instead (Accept: application/json)")
    } else if speaks_of_old_versions && !exchange::only_reads(&head.method) && head.method != Method::DELETE {
        ("a change in the JSON of OData V3 (DataServiceVersion)", "send OData-Version: 4.0 and the JSON of V4 instead")
    } else {
        return Ok(());
    };
    let message = format!(
        "Business Central online has no OData V3 any more, and this is {sign}; the same address, {}, speaks OData V4: {instead}.",
        head.uri.path()
    );
    Err(Refusal::new(Kind::NotImplemented, message))
}

/// An address of V3 is refused with the one of V4, as a program of this route would write it.
pub fn below_route(error: AddressError, settings: &config::Route) -> AddressError {
    match error {
        AddressError::OldOData { v4 } => AddressError::OldOData { v4: format!("{}{v4}", settings.path.as_str()) },
        error => error,
    }
}

fn has_atom(headers: &HeaderMap, name: &HeaderName) -> bool {
    kinds(headers, name).any(|kind| kind.starts_with("application/atom"))
}

/// Its `Accept` names XML and leaves no room for JSON.
fn wants_nothing_but_xml(headers: &HeaderMap) -> bool {
    let is_xml =
        |kind: &String| kind.starts_with("application/atom") || kind == "application/xml" || kind == "text/xml";
    kinds(headers, &ACCEPT).any(|kind| is_xml(&kind)) && kinds(headers, &ACCEPT).all(|kind| is_xml(&kind))
}

/// The media types of a header, in small letters and without their parameters.
fn kinds(headers: &HeaderMap, name: &HeaderName) -> impl Iterator<Item = String> {
    let values = headers.get_all(name).iter().flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    values.map(|kind| {
        let kind = kind.split(|&byte| byte == b';').next().unwrap_or_default();
        String::from_utf8_lossy(kind.trim_ascii()).to_ascii_lowercase()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn atom_is_read_by_who_asks_for_nothing_else() {
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
