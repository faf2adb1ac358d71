//! A response of our own to bytes that never became a request.

use hyper::StatusCode;

use crate::business_central::Dialect;
use crate::guide::RejectionCode;

/// The response as it is sent; the connection ends with it.
pub fn raw_response(status: StatusCode, dialect: Dialect, code: RejectionCode, message: &str) -> Vec<u8> {
    let body = dialect.body(status, code, message);
    let (error, retry) = match status {
        StatusCode::SERVICE_UNAVAILABLE => ("connection_limit_reached", "Retry-After: 5\r\n"),
        _ => ("http_request_error", ""),
    };
    let status = dialect.status(status);
    format!(
        "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{retry}Proxy-Status: bcproxy; error={error}\r\nConnection: \
         close\r\n\r\n{body}",
        status.as_u16(),
        status.canonical_reason().unwrap_or_default(),
        dialect.content_type(),
        body.len()
    )
    .into_bytes()
}
