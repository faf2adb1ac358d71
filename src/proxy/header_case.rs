//! The case of header names.
//!
//! Names are the same in any case (RFC 9110, section 5.1), and hyper writes them in lower case. Some old programs
//! compare them letter by letter all the same.

use std::io;
use std::task::{Poll, ready};

use bytes::{Buf, BytesMut};

/// Writes the first of these names that a line begins with. Patterns of a fixed length cost the fewest instructions.
macro_rules! write_as {
    ($line:expr, $($name:literal),+) => {{
        $(if let Some(start) = $line.first_chunk_mut()
            && *start == const { lower($name) }
        {
            *start = *$name;
            return;
        })+
    }};
}

/// A head on its way from hyper to a stream, in which names are written in another case.
///
/// The stream must tell hyper that it writes vectored: only then hyper keeps heads in a slice of their own, the first.
#[derive(Debug, Default)]
pub struct CasedHead {
    /// Written in place of what hyper hands over first.
    unwritten: BytesMut,
}

impl CasedHead {
    /// The first slice that hyper hands over is a head, perhaps behind the rest of another one or a `100 Continue`.
    ///
    /// `rename` changes the name at the beginning of what it gets: a line, and what follows it.
    pub fn begin(&mut self, slices: &[io::IoSlice<'_>], rename: impl Fn(&mut [u8])) {
        let known = self.unwritten.len();
        let Some(added) = slices.first().and_then(|head| head.get(known..)) else { return };
        self.unwritten.extend_from_slice(added);
        let mut rest = self.unwritten.get_mut(known..).unwrap_or_default();
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (_, line) = rest.split_at_mut(end + 1);
            rename(line);
            rest = line;
        }
    }

    /// Writes what hyper hands over.
    pub fn poll_write(
        &mut self,
        slices: &[io::IoSlice<'_>],
        write: impl FnOnce(&[io::IoSlice<'_>]) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if self.unwritten.is_empty() {
            return write(slices);
        }
        let mut replaced = [io::IoSlice::new(&[]); MAX_SLICES];
        let [head, others @ ..] = &mut replaced;
        *head = io::IoSlice::new(&self.unwritten);
        let mut count = 1;
        // What hyper has added to its slice of heads since is written next time.
        if let Some((first, bodies)) = slices.split_first()
            && first.len() == self.unwritten.len()
        {
            for (other, body) in others.iter_mut().zip(bodies) {
                *other = *body;
                count += 1;
            }
        }
        let written = ready!(write(replaced.get(..count).unwrap_or_default()))?;
        self.unwritten.advance(written.min(self.unwritten.len()));
        Poll::Ready(Ok(written))
    }
}

/// Writes a line's name as IIS does, if it is one of a response that IIS writes in another case than hyper.
///
/// Some names are in lower case there, too: `request-id`, `client-request-id`, `ms-correlation-x`.
pub fn as_iis(line: &mut [u8]) {
    match line.first() {
        Some(b'a') => write_as!(line, b"Accept-Ranges:", b"Age:", b"Allow:"),
        Some(b'c') => write_as!(
            line,
            b"Content-Type:",
            b"Content-Length:",
            b"Cache-Control:",
            b"Connection:",
            b"Content-Encoding:",
            b"Content-Language:",
            b"Content-Disposition:",
            b"Content-Location:",
            b"Content-Range:",
            b"Cache-Status:"
        ),
        Some(b'd') => write_as!(line, b"Date:"),
        Some(b'e') => write_as!(line, b"ETag:", b"Expires:"),
        Some(b'l') => write_as!(line, b"Location:", b"Last-Modified:"),
        Some(b'o') => write_as!(line, b"OData-Version:", b"OData-EntityId:"),
        Some(b'p') => write_as!(line, b"Preference-Applied:", b"Proxy-Status:", b"Pragma:"),
        Some(b'r') => write_as!(line, b"Retry-After:"),
        Some(b's') => write_as!(line, b"Server:", b"Set-Cookie:"),
        Some(b't') => write_as!(line, b"Transfer-Encoding:"),
        Some(b'v') => write_as!(line, b"Vary:", b"Via:"),
        Some(b'w') => write_as!(line, b"WWW-Authenticate:"),
        Some(b'x') => write_as!(line, b"X-Request-Id:"),
        _ => {}
    }
}

/// Writes the name `SOAPAction` as SOAP 1.1 does.
pub fn soap_action(line: &mut [u8]) {
    write_as!(line, b"SOAPAction:");
}

const fn lower<const N: usize>(name: &[u8; N]) -> [u8; N] {
    let mut lower = *name;
    lower.make_ascii_lowercase();
    lower
}

/// Enough for a head and one chunk of a body.
const MAX_SLICES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    /// What arrives when hyper hands over these slices, and no write takes more than `most` bytes.
    fn arrived(slices: &[&[u8]], most: usize) -> String {
        let mut slices: Vec<io::IoSlice<'_>> = slices.iter().map(|slice| io::IoSlice::new(slice)).collect();
        let mut slices = slices.as_mut_slice();
        let (mut head, mut arrived) = (CasedHead::default(), Vec::new());
        head.begin(slices, as_iis);
        while !slices.is_empty() {
            let written = head.poll_write(slices, |offered| {
                let offered = offered.iter().map(|slice| &**slice).collect::<Vec<_>>().concat();
                arrived.extend_from_slice(&offered[..most.min(offered.len())]);
                Poll::Ready(Ok(most.min(offered.len())))
            });
            let Poll::Ready(Ok(written)) = written else { panic!("{written:?}") };
            io::IoSlice::advance_slices(&mut slices, written);
        }
        String::from_utf8(arrived).unwrap()
    }

    #[test]
    fn names_are_written_as_iis_writes_them_however_little_is_taken_at_once() {
        let heads = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-type: etag: \"date: x\"\r\ncontent-length: 12\r\n\
                     etag: W/\"x\"\r\nodata-version: 4.0\r\nwww-authenticate: NTLM\r\ncache-status: bcproxy\r\nrequest-id: 1\r\n\
                     x-request-id: 2\r\ndates: 3\r\ndate: now\r\n\r\n";
        let expected = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: etag: \"date: x\"\r\nContent-Length: 12\r\n\
                        ETag: W/\"x\"\r\nOData-Version: 4.0\r\nWWW-Authenticate: NTLM\r\nCache-Status: bcproxy\r\nrequest-id: 1\r\n\
                        X-Request-Id: 2\r\ndates: 3\r\nDate: now\r\n\r\n";
        let body = ["\r\netag: ", "\r\ndate: x"];
        for most in 1..=heads.len() + 20 {
            let slices = [heads.as_bytes(), body[0].as_bytes(), body[1].as_bytes()];
            assert_eq!(arrived(&slices, most), [expected, body[0], body[1]].concat(), "{most} at once");
        }
    }
}
