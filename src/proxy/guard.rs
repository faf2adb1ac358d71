//! The guard: what is no honest HTTP request for this proxy goes no further.

use hyper::Method;
use hyper::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};

use super::refusal::{Kind, Refusal};
use super::step::Inbound;

/// Refuses what could mean one thing to us and another to somebody else on the way (RFC 9112, sections 3.2 and 6.3).
pub fn guard(inbound: Inbound) -> Result<Inbound, Refusal> {
    let headers = &inbound.head.headers;
    if headers.get_all(HOST).iter().count() > 1 {
        return Err(Refusal::new(Kind::BadRequest, "The request has more than one Host header; send one."));
    }
    if headers.contains_key(CONTENT_LENGTH) && headers.contains_key(TRANSFER_ENCODING) {
        let message = "The request has both Content-Length and Transfer-Encoding; send one of them.";
        return Err(Refusal::new(Kind::BadRequest, message));
    }
    if matches!(inbound.head.method, Method::CONNECT | Method::TRACE) {
        let message = format!("The method {} is not forwarded.", inbound.head.method);
        return Err(Refusal::new(Kind::MethodNotAllowed, message));
    }
    Ok(inbound)
}
