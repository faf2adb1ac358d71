//! Repairs request lines of legacy clients, so that an HTTP parser accepts them.
//!
//! NAV decoded whatever a request line contained, so a client could put a raw company name there. An HTTP/1.1 parser
//! rejects a space, a Latin-1 letter or a quotation mark, and takes `#` for the end (RFC 9112, section 3.2).

/// A request line, without its end, with the target percent-encoded where a parser would reject or cut it; `None` if
/// there is nothing
/// to repair.
///
/// Lines that are no request line can't be repaired: the parser rejects them.
pub fn repaired(line: &[u8]) -> Option<Vec<u8>> {
    let (method, target, version) = split(line)?;
    if method.len() + target.len() + version.len() + 2 == line.len() && target.iter().all(|&byte| is_allowed(byte)) {
        return None;
    }
    let mut repaired = Vec::with_capacity(line.len() + line.len() / 2);
    repaired.extend_from_slice(method);
    repaired.push(b' ');
    encode(target, &mut repaired);
    repaired.push(b' ');
    repaired.extend_from_slice(version);
    Some(repaired)
}

/// Method, target and version. A target may contain spaces, the other two can't.
pub fn split(line: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let line = trim_spaces(line);
    let first = line.iter().position(|&byte| byte == b' ')?;
    let last = line.iter().rposition(|&byte| byte == b' ')?;
    let (method, target, version) = (line.get(..first)?, trim_spaces(line.get(first..last)?), line.get(last + 1..)?);
    (!target.is_empty() && version.starts_with(b"HTTP/")).then_some((method, target, version))
}

/// Trims spaces only: other white space may be read differently elsewhere.
fn trim_spaces(mut text: &[u8]) -> &[u8] {
    while let Some(rest) = text.strip_prefix(b" ").or_else(|| text.strip_suffix(b" ")) {
        text = rest;
    }
    text
}

/// What a target may contain unencoded. Control characters are neither accepted nor encoded: no client means them, an
/// attack might.
fn is_allowed(byte: u8) -> bool {
    !matches!(byte, b' ' | b'#' | b'"' | b'<' | b'>' | b'%' | 0x80..)
}

fn encode(target: &[u8], repaired: &mut Vec<u8>) {
    let mut rest = target;
    while let Some(&byte) = rest.first() {
        if let Some(run) = NonAscii::at_start_of(rest) {
            run.encode(repaired);
            rest = rest.get(run.written.len()..).unwrap_or_default();
            continue;
        }
        match byte {
            b' ' | b'#' | b'"' | b'<' | b'>' => push_encoded(byte, repaired),
            _ => repaired.push(byte),
        }
        rest = rest.get(1..).unwrap_or_default();
    }
}

/// Consecutive bytes beyond ASCII, raw or percent-encoded.
struct NonAscii<'a> {
    bytes: Vec<u8>,
    /// As they are in the target.
    written: &'a [u8],
}

impl<'a> NonAscii<'a> {
    fn at_start_of(target: &'a [u8]) -> Option<Self> {
        let (mut bytes, mut length) = (Vec::new(), 0);
        while let Some(rest) = target.get(length..) {
            let (byte, written) = match rest {
                [byte, ..] if !byte.is_ascii() => (*byte, 1),
                [b'%', high, low, ..] => match (hex(*high), hex(*low)) {
                    (Some(high @ 8..), Some(low)) => (high << 4 | low, 3),
                    _ => break,
                },
                _ => break,
            };
            bytes.push(byte);
            length += written;
        }
        (length > 0).then_some(Self { bytes, written: target.get(..length)? })
    }

    /// UTF-8 is kept; anything else comes from the age of Windows-1252.
    fn encode(&self, repaired: &mut Vec<u8>) {
        if std::str::from_utf8(&self.bytes).is_ok() {
            for &byte in self.written {
                if byte.is_ascii() { repaired.push(byte) } else { push_encoded(byte, repaired) }
            }
            return;
        }
        let (text, _) = encoding_rs::WINDOWS_1252.decode_without_bom_handling(&self.bytes);
        text.bytes().for_each(|byte| push_encoded(byte, repaired));
    }
}

fn push_encoded(byte: u8, text: &mut Vec<u8>) {
    text.extend_from_slice(percent_encoding::percent_encode_byte(byte).as_bytes());
}

fn hex(digit: u8) -> Option<u8> {
    u8::try_from(char::from(digit).to_digit(16)?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(line: &[u8]) -> Vec<u8> {
        repaired(line).unwrap_or_else(|| line.to_vec())
    }

    fn text(line: &[u8]) -> String {
        String::from_utf8(whole(line)).unwrap()
    }

    #[test]
    fn what_a_parser_takes_stays_as_it_is() {
        for line in [
            "GET / HTTP/1.1",
            "GET /a'b|c^d\\e{f}[g]?$filter=No%20eq%20'1'&x=+ HTTP/1.0",
            "OPTIONS * HTTP/1.1",
            "GET /M%C3%BCller%zz HTTP/1.1",
            // No target can be found in these.
            "GET",
            "GET /",
            "GET / with spaces and no version",
            "",
        ] {
            assert_eq!(text(line.as_bytes()), line);
        }
    }

    #[test]
    fn what_old_programs_write_is_encoded() {
        for (line, expected) in [
            ("GET /WS/CRONUS International Ltd./Page HTTP/1.1", "GET /WS/CRONUS%20International%20Ltd./Page HTTP/1.1"),
            ("GET /Größe HTTP/1.1", "GET /Gr%C3%B6%C3%9Fe HTTP/1.1"),
            ("GET /a#b\"<c> HTTP/1.1", "GET /a%23b%22%3Cc%3E HTTP/1.1"),
            ("GET  /a  HTTP/1.1 ", "GET /a HTTP/1.1"),
            ("GET http://old/WS/A B/Page HTTP/1.0", "GET http://old/WS/A%20B/Page HTTP/1.0"),
            ("GET /WS/M%FCller/Page HTTP/1.1", "GET /WS/M%C3%BCller/Page HTTP/1.1"),
            ("GET /%c3%bc und %2f HTTP/1.1", "GET /%c3%bc%20und%20%2f HTTP/1.1"),
            ("GET /WS/HTTP/1.1 is a name/Page HTTP/1.1", "GET /WS/HTTP/1.1%20is%20a%20name/Page HTTP/1.1"),
        ] {
            assert_eq!(text(line.as_bytes()), expected);
        }
        assert_eq!(text(b"GET /Gr\xF6\xDFe \x80 HTTP/1.1"), "GET /Gr%C3%B6%C3%9Fe%20%E2%82%AC HTTP/1.1");
        // Latin-1 in the path and UTF-8 in the query: each is read as what it is.
        assert_eq!(text(b"GET /\xFC?a=\xC3\xBC HTTP/1.1"), "GET /%C3%BC?a=%C3%BC HTTP/1.1");
    }

    proptest! {
        #[test]
        fn a_repaired_line_needs_no_repair(target in prop::collection::vec(any::<u8>(), 0..40)) {
            let line = [b"GET /", target.as_slice(), b" HTTP/1.1"].concat();
            let once = whole(&line);
            prop_assert_eq!(whole(&once), once.clone());
            let (_, target, _) = split(&once).unwrap();
            prop_assert!(target.iter().all(|byte| byte.is_ascii() && !b" #\"<>".contains(byte)));
        }

        #[test]
        fn nothing_but_the_target_changes(line in prop::collection::vec(any::<u8>(), 0..60)) {
            let once = whole(&line);
            prop_assert_eq!(split(&once).map(|it| (it.0.to_vec(), it.2.to_vec())), split(&line).map(|it| (it.0.to_vec(), it.2.to_vec())));
        }
    }
}
