//! OData V3, which Business Central online no longer supports: recognized, and rejected in a form its clients can read.
//!
//! Reads that accept JSON pass, whatever version they name: V4 answers them with JSON. Everything else would fail there
//! with unhelpful
//! errors, or be understood differently.

use hyper::Method;
use hyper::header::{ACCEPT, CONTENT_TYPE};
use hyper::http::request::Parts;

use crate::business_central::Surface;
use crate::business_central::address::AddressError;
use crate::config;
use crate::proxy::dialect::{accepts_only_xml, has_atom};
use crate::proxy::environment::route_table::RouteTable;
use crate::proxy::headers;
use crate::proxy::methods::{methods, only_reads};
use crate::proxy::rejection::{Kind, Rejection};

/// Rejects what V4 does not support. Requests on `environment` routes are not checked.
pub fn check(settings: &config::Route, head: &Parts) -> Result<(), Rejection> {
    if matches!(settings.surface, Surface::Soap | Surface::Environment) {
        return Ok(());
    }
    let is_merge = |method: Method| method.as_str() == "MERGE";
    let speaks_of_old_versions = || headers::ODATA_V3_VERSIONS.iter().any(|name| head.headers.contains_key(name));
    let (sign, instead) = if methods(&head.method, &head.headers).any(is_merge) {
        ("the method MERGE", "send PATCH instead")
    } else if has_atom(&head.headers, &CONTENT_TYPE) {
        ("an Atom document", "send JSON instead")
    } else if has_atom(&head.headers, &ACCEPT) && accepts_only_xml(&head.headers) {
        ("a request for Atom", "ask for JSON instead (Accept: application/json)")
    } else if !only_reads(&head.method) && head.method != Method::DELETE && speaks_of_old_versions() {
        ("a change in the JSON of OData V3 (DataServiceVersion)", "send OData-Version: 4.0 and the JSON of V4 instead")
    } else {
        return Ok(());
    };
    let message = format!(
        "Business Central online no longer supports OData V3, and this is {sign}. The same address, {}, serves OData V4: {instead}.",
        head.uri.path()
    );
    Err(Rejection::new(Kind::NotImplemented, message))
}

/// Rejects an address of V3 below a route. `v3` is its root, and `v4` the V4 address of the same data: both without
/// the route.
pub fn old_address<T>(v3: &str, v4: &str, settings: &config::Route, routes: &RouteTable<T>) -> Rejection {
    let route = settings.path.as_str();
    let (v3, v4) = (format!("{route}{v3}"), format!("{route}{v4}"));
    let namesake = routes.prefixes().find(|prefix| prefix.eq_ignore_ascii_case(&v3));
    let namesake = namesake.map_or_else(String::new, |route| {
        format!(" Do not confuse it with the route {route}, which leads to OData V4: paths are case-sensitive.")
    });
    Rejection::from(AddressError::ODataV3 { v3, v4 }).followed_by(&namesake)
}
