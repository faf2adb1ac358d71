//! Requests that no parser takes: why, in words for whoever looks after the client, instead of an empty 400.

use hyper::StatusCode;

use super::raw_answer::raw_answer;
use super::request_line;
use crate::business_central::Dialect;

/// What is wrong with a head that hyper refused.
pub fn diagnose(head: &[u8]) -> &'static str {
    let mut lines = head.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let line = lines.next().unwrap_or_default();
    if head.starts_with(b"PRI * HTTP/2.0") {
        return "it is HTTP/2, which this port does not speak; have the program use HTTP/1.1";
    }
    let Some((method, target, version)) = request_line::split(line) else {
        return "its first line is not `METHOD /path HTTP/1.1`";
    };
    if !matches!(version, b"HTTP/1.1" | b"HTTP/1.0") {
        return "its HTTP version is neither 1.0 nor 1.1";
    }
    if !method.iter().all(u8::is_ascii_alphanumeric) {
        return "its method holds other characters than letters";
    }
    if target.iter().any(u8::is_ascii_control) {
        return "there is a control character in its address";
    }
    if target.len() > LONGEST_TARGET {
        return "its address is longer than 65,534 bytes";
    }
    let mut fields = 0;
    for field in lines.take_while(|line| !line.is_empty()) {
        let Some(colon) = field.iter().position(|&byte| byte == b':') else {
            return "one of its header lines has no colon";
        };
        let (name, value) = field.split_at(colon);
        if name.is_empty() || !name.iter().all(|&byte| byte.is_ascii_graphic()) {
            return "there is a space or another character in the name of a header where none may be";
        }
        if value.iter().any(|&byte| byte.is_ascii_control() && byte != b'\t') {
            return "there is a control character in a header";
        }
        fields += 1;
    }
    if fields > MOST_FIELDS {
        "it has more than 100 headers"
    } else {
        "its headers contradict each other or say no length"
    }
}

/// The answer, as it goes onto the wire; the connection ends with it.
pub fn answer(status: StatusCode, head: &[u8], reason: &str) -> Vec<u8> {
    let dialect = if looks_like_soap(head) { Dialect::Soap } else { Dialect::OData };
    raw_answer(status, dialect, CODE, &message(reason))
}

/// What the answer says.
pub fn message(reason: &str) -> String {
    format!("The request can't be read as HTTP: {reason}. Nothing was sent to Business Central.")
}

fn looks_like_soap(head: &[u8]) -> bool {
    let head = head.to_ascii_lowercase();
    [&b"\nsoapaction:"[..], b"text/xml", b"application/soap+xml"]
        .iter()
        .any(|sign| memchr::memmem::find(&head, sign).is_some())
}

pub const CODE: &str = "Proxy_Unreadable";

/// What hyper's address type holds.
const LONGEST_TARGET: usize = 65_534;

/// What hyper takes unless told otherwise.
const MOST_FIELDS: usize = 100;

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
            ("GET /\u{1} HTTP/1.1\r\n\r\n", "address"),
            ("GET / HTTP/1.1\r\nHost\r\n\r\n", "no colon"),
            ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", "name of a header"),
            ("GET / HTTP/1.1\r\n: a\r\n\r\n", "name of a header"),
            ("GET / HTTP/1.1\r\nA: a\u{0}\r\n\r\n", "in a header"),
            ("GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", "contradict"),
            (many.as_str(), "100 headers"),
            (long.as_str(), "longer"),
        ] {
            assert!(diagnose(head.as_bytes()).contains(part), "{head:?}: {}", diagnose(head.as_bytes()));
        }
    }

    #[test]
    fn a_soap_client_reads_a_fault() {
        let answer = answer(StatusCode::BAD_REQUEST, b"POST / HTTP/3\r\nSoapaction: x\r\n\r\n", "no");
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 500 ") && answer.contains("<status>400</status>"), "{answer}");
    }
}
