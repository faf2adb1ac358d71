//! Requests that can't be parsed: why, in words for the administrator of the client, instead of an empty 400.

use hyper::StatusCode;

use super::raw_response::raw_response;
use super::request_line;
use crate::business_central::Dialect;
use crate::guide::RejectionCode;
use crate::proxy::downstream::rejected_connections::ConnectionRejection;

/// Why a head is rejected before it becomes a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unparsable {
    pub status: StatusCode,
    /// What is wrong, to follow a colon.
    pub reason: &'static str,
}

impl Unparsable {
    /// The reason under which its connection is counted; `None` when memory was full, which has a count of its own.
    pub fn rejection(self) -> Option<ConnectionRejection> {
        match self {
            Self { status: StatusCode::SERVICE_UNAVAILABLE, .. } => None,
            Self { reason: IS_TLS, .. } => Some(ConnectionRejection::HttpsOnHttp),
            _ => Some(ConnectionRejection::MalformedRequest),
        }
    }
}

/// What is wrong with a head that hyper rejected.
pub fn diagnose(head: &[u8]) -> &'static str {
    let mut lines = head.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let line = lines.next().unwrap_or_default();
    if head.starts_with(b"PRI * HTTP/2.0") {
        return "it is HTTP/2, which this port does not support. Configure the client for HTTP/1.1";
    }
    let Some((method, target, version)) = request_line::split(line) else {
        return "its first line is not `METHOD /path HTTP/1.1`";
    };
    if !matches!(version, b"HTTP/1.1" | b"HTTP/1.0") {
        return "its HTTP version is neither 1.0 nor 1.1";
    }
    if !method.iter().all(u8::is_ascii_alphanumeric) {
        return "its method contains characters other than letters";
    }
    let is_absolute = memchr::memmem::find(target, b"://").is_some();
    if !target.starts_with(b"/") && target != b"*" && !is_absolute {
        return "its path does not begin with a slash";
    }
    if target.iter().any(u8::is_ascii_control) {
        return "its address contains a control character";
    }
    if target.len() > MAX_TARGET_BYTES {
        return "its address is longer than 65,534 bytes";
    }
    let mut fields = 0;
    for field in lines.take_while(|line| !line.is_empty()) {
        let Some(colon) = field.iter().position(|&byte| byte == b':') else {
            return "one of its header lines has no colon";
        };
        let (name, value) = field.split_at(colon);
        if name.is_empty() || !name.iter().all(|&byte| byte.is_ascii_graphic()) {
            return "the name of a header contains a space or another invalid character";
        }
        if value.iter().any(|&byte| byte.is_ascii_control() && byte != b'\t') {
            return "a header contains a control character";
        }
        fields += 1;
    }
    if fields > MAX_FIELDS {
        "it has more than 100 headers"
    } else {
        "its headers contradict each other or give no length, or it is HTTP/1.0 with a Transfer-Encoding"
    }
}

/// The response as it is sent; the connection ends with it.
pub fn response(Unparsable { status, reason }: Unparsable, head: &[u8]) -> Vec<u8> {
    let dialect = if looks_like_soap(head) { Dialect::Soap } else { Dialect::OData };
    raw_response(status, dialect, RejectionCode::Unreadable, &message(reason))
}

/// The message of the response.
pub fn message(reason: &str) -> String {
    format!("The request can't be read: {reason}. Nothing was sent to Business Central.")
}

fn looks_like_soap(head: &[u8]) -> bool {
    let head = head.to_ascii_lowercase();
    [&b"\nsoapaction:"[..], b"text/xml", b"application/soap+xml"]
        .iter()
        .any(|sign| memchr::memmem::find(&head, sign).is_some())
}

/// Why a TLS handshake is no request.
pub const IS_TLS: &str = "the client speaks HTTPS on a port for plain HTTP. Change its base address to http://, or give the port a certificate \
     (`tls` of `listen` in proxy.yaml)";

/// The limit of hyper's URI type.
const MAX_TARGET_BYTES: usize = 65_534;

/// hyper's default.
const MAX_FIELDS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_is_named() {
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(101));
        let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(65_534));
        for (head, part) in [
            ("GET /\r\n\r\n", "first line"),
            ("GET / HTTP/2.0\r\n\r\n", "version"),
            ("PRI * HTTP/2.0\r\n\r\n", "HTTP/2,"),
            ("G@T / HTTP/1.1\r\n\r\n", "method"),
            ("GET api/customers HTTP/1.1\r\n\r\n", "slash"),
            ("GET /\u{1} HTTP/1.1\r\n\r\n", "address"),
            ("GET / HTTP/1.1\r\nHost\r\n\r\n", "no colon"),
            ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", "name of a header"),
            ("GET / HTTP/1.1\r\n: a\r\n\r\n", "name of a header"),
            ("GET / HTTP/1.1\r\nA: a\u{0}\r\n\r\n", "a header contains a control"),
            ("GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", "contradict"),
            (many.as_str(), "100 headers"),
            (long.as_str(), "longer"),
        ] {
            assert!(diagnose(head.as_bytes()).contains(part), "{head:?}: {}", diagnose(head.as_bytes()));
        }
    }

    #[test]
    fn a_soap_client_reads_a_fault() {
        let unparsable = Unparsable { status: StatusCode::BAD_REQUEST, reason: "no" };
        let response = response(unparsable, b"POST / HTTP/3\r\nSoapaction: x\r\n\r\n");
        let response = String::from_utf8(response).unwrap();
        assert!(response.starts_with("HTTP/1.1 500 ") && response.contains("<status>400</status>"), "{response}");
    }
}
