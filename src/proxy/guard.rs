//! The guard: what is no honest HTTP request for this proxy goes no further.

use hyper::Method;
use hyper::header::HOST;
use hyper::http::request::Parts;

use super::refusal::{Kind, Refusal};
use super::step::Inbound;

/// Refuses what could mean one thing to us and another to somebody else on the way (RFC 9112, section 3.2).
///
/// A request with a length and chunks does not get here as such: hyper drops the length and closes the connection after the answer.
pub fn guard(inbound: Inbound) -> Result<Inbound, Refusal> {
    check(&inbound.head)?;
    Ok(inbound)
}

/// The same, of a head alone.
pub fn check(head: &Parts) -> Result<(), Refusal> {
    if head.headers.get_all(HOST).iter().count() > 1 {
        return Err(Refusal::new(Kind::BadRequest, "The request has more than one Host header; send one."));
    }
    if matches!(head.method, Method::CONNECT | Method::TRACE) {
        let message = format!("The method {} is not forwarded.", head.method);
        return Err(Refusal::new(Kind::MethodNotAllowed, message));
    }
    Ok(())
}
