//! Routes that only read (`read_only`): what may change data is rejected, and nothing of it is sent.

use hyper::Method;

use crate::business_central::address::Resource;
use crate::business_central::soap;
use crate::config;
use crate::proxy::body::request_body::RequestBody;
use crate::proxy::methods::only_reads;
use crate::proxy::rejection::{Kind, Rejection};

/// Rejects methods that may change data. A POST of a batch or to a SOAP service tells only in its body.
pub fn check_request(
    settings: &config::Route,
    resource: &Resource,
    methods: impl IntoIterator<Item = Method>,
) -> Result<(), Rejection> {
    let tells_in_body = resource.is_batch() || resource.is_soap_page() || resource.is_system_service();
    check_methods(settings, methods.into_iter().filter(|method| !(tells_in_body && *method == Method::POST)))
}

/// Rejects methods that may change data.
pub fn check_methods(settings: &config::Route, methods: impl IntoIterator<Item = Method>) -> Result<(), Rejection> {
    if !settings.read_only {
        return Ok(());
    }
    let may_change = |method: &Method| !only_reads(method) && *method != Method::OPTIONS;
    match methods.into_iter().find(may_change) {
        Some(method) => Err(rejection(settings, &format!("{method} may change data"))),
        None => Ok(()),
    }
}

/// Rejects a SOAP call of a page that may change data.
pub fn check_call(
    settings: &config::Route,
    resource: &Resource,
    method: &Method,
    body: &RequestBody,
) -> Result<(), Rejection> {
    if !settings.read_only || !resource.is_soap_page() || *method != Method::POST {
        return Ok(());
    }
    match body.bytes() {
        Some(envelope) if envelope.len() <= MAX_READ_BYTES && soap::only_reads(envelope) => Ok(()),
        _ => Err(rejection(settings, NO_READ_CALL)),
    }
}

fn rejection(settings: &config::Route, reason: &str) -> Rejection {
    let message = format!(
        "Route `{}` only lets clients read (`read_only` in proxy.yaml), and {reason}. Nothing was sent. Use another route for changes.",
        settings.path
    );
    Rejection::new(Kind::NotAllowed, message)
}

/// A call that reads holds a few filters and a bookmark.
const MAX_READ_BYTES: usize = 64 << 10;

const NO_READ_CALL: &str =
    "the call is not one of Read, ReadByRecId, ReadMultiple, IsUpdated and GetRecIdFromKey, uncompressed and in UTF-8";
