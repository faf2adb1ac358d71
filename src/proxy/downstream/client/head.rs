//! Where a request's head ends, and what in it tells the length of the body.

use hyper::StatusCode;

use super::unparsable::Unparsable;

/// Looks for the end of a head while it arrives. Each byte is looked at once.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct HeadScan {
    /// Where the line begins whose end has not arrived.
    line: usize,
    searched: usize,
    framing: Framing,
}

/// What the lines of a head tell about the length of the body.
///
/// hyper drops a `Content-Length` beside a `Transfer-Encoding`, and ignores a coding before `chunked`. Others may read
/// the same request differently (RFC 9112, section 6.1).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Framing {
    has_length: bool,
    codings: Codings,
}

/// The transfer codings so far.
#[derive(Debug, Clone, Copy, Default)]
enum Codings {
    #[default]
    None,
    Chunked,
    /// Another one is the last.
    Unknown,
    UnknownThenChunked,
    /// `chunked` is not the last one, or one has no name.
    Misplaced,
}

impl HeadScan {
    /// Behind the empty line that ends the head, if that has arrived (RFC 9112, section 2.2: a line may end without its
    /// CR). `bytes` begins with the head, at each call with more of it.
    pub(super) fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let from = self.searched;
        for at in memchr::memchr_iter(b'\n', bytes.get(from..)?) {
            let line = bytes.get(self.line..from + at)?;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            self.line = from + at + 1;
            if line.is_empty() {
                return Some(self.line);
            }
            self.framing.add(line);
        }
        self.searched = bytes.len();
        None
    }

    /// What the head tells, once its end was found.
    pub(super) fn framing(self) -> Framing {
        self.framing
    }
}

impl Framing {
    fn add(&mut self, line: &[u8]) {
        // Most lines are told apart by their first byte.
        match line.first() {
            Some(b'c' | b'C') if value_of(b"content-length", line).is_some() => self.has_length = true,
            Some(b't' | b'T') => {
                let codings = value_of(b"transfer-encoding", line).into_iter();
                codings.flat_map(|value| value.split(|&byte| byte == b',')).for_each(|coding| self.codings.add(coding));
            }
            _ => {}
        }
    }

    /// Why the length of the body can't be told for certain.
    pub(super) fn fault(self) -> Option<Unparsable> {
        let (status, reason) = match self.codings {
            Codings::None => return None,
            _ if self.has_length => (StatusCode::BAD_REQUEST, TWO_LENGTHS),
            Codings::Chunked => return None,
            Codings::UnknownThenChunked => (StatusCode::NOT_IMPLEMENTED, UNKNOWN_CODING),
            Codings::Unknown | Codings::Misplaced => (StatusCode::BAD_REQUEST, NOT_CHUNKED),
        };
        Some(Unparsable { status, reason })
    }
}

impl Codings {
    fn add(&mut self, coding: &[u8]) {
        let coding = coding.trim_ascii();
        let is_chunked = coding.eq_ignore_ascii_case(b"chunked");
        *self = match self {
            _ if coding.is_empty() => Self::Misplaced,
            Self::None if is_chunked => Self::Chunked,
            Self::Unknown if is_chunked => Self::UnknownThenChunked,
            Self::None | Self::Unknown => Self::Unknown,
            Self::Chunked | Self::UnknownThenChunked | Self::Misplaced => Self::Misplaced,
        };
    }
}

/// The value of a header line with this name.
fn value_of<'l>(name: &[u8], line: &'l [u8]) -> Option<&'l [u8]> {
    let (start, rest) = line.split_at_checked(name.len())?;
    rest.strip_prefix(b":").filter(|_| start.eq_ignore_ascii_case(name))
}

const TWO_LENGTHS: &str = "it has both Content-Length and Transfer-Encoding. Send one of the two";

const UNKNOWN_CODING: &str =
    "its Transfer-Encoding names a coding that bcproxy does not implement. Use `chunked` alone, or Content-Length";

const NOT_CHUNKED: &str =
    "`chunked` is not the last coding of its Transfer-Encoding. Use `chunked` alone, or Content-Length";

#[cfg(test)]
mod tests {
    use super::*;

    fn status(lines: &str) -> Option<u16> {
        let head = format!("POST / HTTP/1.1\r\n{lines}\r\n\r\n");
        let mut scan = HeadScan::default();
        assert_eq!(scan.end(head.as_bytes()), Some(head.len()), "{head:?}");
        scan.framing().fault().map(|fault| fault.status.as_u16())
    }

    #[test]
    fn lengths_that_others_may_read_differently_are_faults() {
        for (lines, expected) in [
            ("Host: a", None),
            ("Content-Length: 1\r\nContent-Length: 1", None),
            ("Transfer-Encoding: chunked", None),
            ("TRANSFER-ENCODING:\t Chunked ", None),
            ("X-Transfer-Encoding: gzip\r\nTransfer-Encodings: x\r\nTE: trailers", None),
            ("Content-Length: 1\r\nTransfer-Encoding: chunked", Some(400)),
            ("transfer-encoding: chunked\ncontent-length: 1", Some(400)),
            ("Content-Length: 1\r\nTransfer-Encoding: gzip, chunked", Some(400)),
            ("Transfer-Encoding: gzip", Some(400)),
            ("Transfer-Encoding: identity", Some(400)),
            ("Transfer-Encoding: chunked;a=b", Some(400)),
            ("Transfer-Encoding: chunked, gzip", Some(400)),
            ("Transfer-Encoding: chunked, chunked", Some(400)),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", Some(400)),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", Some(400)),
            ("Transfer-Encoding:", Some(400)),
            ("Transfer-Encoding: ,chunked", Some(400)),
            ("Transfer-Encoding: gzip, chunked", Some(501)),
            ("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", Some(501)),
            ("Transfer-Encoding: gzip, x, chunked", Some(501)),
            ("Transfer-Encoding: gzip, chunked, gzip, chunked", Some(400)),
        ] {
            assert_eq!(status(lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_head_is_read_alike_wherever_it_is_cut() {
        let head = b"POST / HTTP/1.1\r\nContent-Length: 1\nTransfer-Encoding: chunked\r\n\r\nrest\n\n";
        for cut in 0..head.len() {
            let mut scan = HeadScan::default();
            let end = scan.end(&head[..cut]).or_else(|| scan.end(head));
            assert_eq!((end, scan.framing().fault().is_some()), (Some(head.len() - 6), true), "{cut}");
        }
    }
}
