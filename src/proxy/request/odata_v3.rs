//! OData V3, which Business Central online no longer speaks: known by its signs, and refused in words its programs can read.
//!
//! What only reads and takes JSON passes whatever it says of versions: V4 answers it with JSON. All else would fail there in words that help
//! nobody, or be understood differently.

use hyper::Method;
use hyper::header::{ACCEPT, CONTENT_TYPE};
use hyper::http::request::Parts;

use crate::business_central::Surface;
use crate::business_central::address::AddressError;
use crate::config;
use crate::proxy::dialect::{accepts_only_xml, has_atom};
use crate::proxy::headers;
use crate::proxy::methods::{methods, only_reads};
use crate::proxy::rejection::{Kind, Rejection};

/// Refuses what V4 does not know, at an address of V4. `environment` routes are not looked into.
pub fn check(settings: &config::Route, head: &Parts) -> Result<(), Rejection> {
    if matches!(settings.surface, Surface::Soap | Surface::Environment) {
        return Ok(());
    }
    let is_merge = |method: Method| method.as_str() == "MERGE";
    let speaks_of_old_versions = headers::OLD_VERSIONS.iter().any(|name| head.headers.contains_key(name));
    let (sign, instead) = if methods(&head.method, &head.headers).any(is_merge) {
        ("the method MERGE", "send PATCH instead")
    } else if has_atom(&head.headers, &CONTENT_TYPE) {
        ("an Atom document", "send JSON instead")
    } else if has_atom(&head.headers, &ACCEPT) && accepts_only_xml(&head.headers) {
        ("a request for Atom", "ask for JSON instead (Accept: application/json)")
    } else if speaks_of_old_versions && !only_reads(&head.method) && head.method != Method::DELETE {
        ("a change in the JSON of OData V3 (DataServiceVersion)", "send OData-Version: 4.0 and the JSON of V4 instead")
    } else {
        return Ok(());
    };
    let message = format!(
        "Business Central online has no OData V3 any more, and this is {sign}; the same address, {}, speaks OData V4: {instead}.",
        head.uri.path()
    );
    Err(Rejection::new(Kind::NotImplemented, message))
}

/// An address of V3 is refused with the one of V4, as a program of this route would write it.
pub fn below_route(error: AddressError, settings: &config::Route) -> AddressError {
    match error {
        AddressError::ODataV3 { v4 } => AddressError::ODataV3 { v4: format!("{}{v4}", settings.path.as_str()) },
        error => error,
    }
}
