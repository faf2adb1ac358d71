//! HTTP/1 requests, read by the letter of RFC 9112 and by nothing of ours: an oracle for what bcproxy reads and writes.
#![allow(dead_code, reason = "no test program uses all of it")]

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainRequest {
    pub method: String,
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

/// What the first bytes of a stream are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// A request, and how many bytes it takes.
    Request(PlainRequest, usize),
    /// The beginning of one.
    Incomplete,
    /// No request, or one that may be read in two ways.
    Wrong(&'static str),
}

/// How a part of a stream ends.
type Part<T> = Result<T, Reading>;

/// Reads the first request of a stream. Lines of its head may end without a CR.
pub fn read(bytes: &[u8]) -> Reading {
    read_request(bytes).map_or_else(|reading| reading, |(request, length)| Reading::Request(request, length))
}

fn read_request(bytes: &[u8]) -> Part<(PlainRequest, usize)> {
    let mut at = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let first = line(bytes, &mut at)?.to_vec();
    let mut words = first.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
    let method = text(words.next().ok_or(Reading::Wrong("no method"))?);
    let mut rest: Vec<&[u8]> = words.collect();
    let version = rest.pop().ok_or(Reading::Wrong("no version"))?;
    if !matches!(version, b"HTTP/1.1" | b"HTTP/1.0") || rest.is_empty() || !method.bytes().all(is_token) {
        return Err(Reading::Wrong("no request line"));
    }
    let target = text(&rest.join(&b' '));
    let mut headers = Vec::new();
    loop {
        let line = line(bytes, &mut at)?;
        if line.is_empty() {
            break;
        }
        let colon = line.iter().position(|&byte| byte == b':').ok_or(Reading::Wrong("no colon"))?;
        let (name, value) = (text(&line[..colon]).to_ascii_lowercase(), &line[colon + 1..]);
        if name.is_empty() || !name.bytes().all(is_token) || value.iter().any(|&byte| byte < 32 && byte != b'\t') {
            return Err(Reading::Wrong("no header"));
        }
        headers.push((name, value.trim_ascii().to_vec()));
    }
    let all =
        |wanted: &str| headers.iter().filter(|(name, _)| name == wanted).map(|(_, value)| value).collect::<Vec<_>>();
    let (lengths, codings) = (all("content-length"), all("transfer-encoding"));
    let body = match (lengths.as_slice(), codings.as_slice()) {
        ([], []) => Vec::new(),
        ([], [coding]) if coding.eq_ignore_ascii_case(b"chunked") && version == b"HTTP/1.1" => chunks(bytes, &mut at)?,
        (lengths, []) => {
            let lengths: Vec<usize> = lengths.iter().map(|length| number(length)).collect::<Part<_>>()?;
            if lengths.windows(2).any(|two| two[0] != two[1]) {
                return Err(Reading::Wrong("lengths that differ"));
            }
            take(bytes, &mut at, lengths[0])?.to_vec()
        }
        _ => return Err(Reading::Wrong("two lengths")),
    };
    Ok((PlainRequest { method, target, headers, body }, at))
}

/// The data of chunks, whose lines end with CRLF.
fn chunks(bytes: &[u8], at: &mut usize) -> Part<Vec<u8>> {
    let mut data = Vec::new();
    loop {
        let line = whole_line(bytes, at)?;
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (size, rest) = line.split_at(digits);
        let extension = rest.iter().find(|byte| !matches!(byte, b' ' | b'\t'));
        if extension.is_some_and(|&byte| byte != b';') || line.contains(&b'\n') {
            return Err(Reading::Wrong("no chunk"));
        }
        let size = usize::from_str_radix(&text(size), 16).map_err(|_| Reading::Wrong("no size"))?;
        if size == 0 {
            while !whole_line(bytes, at)?.is_empty() {}
            return Ok(data);
        }
        data.extend_from_slice(take(bytes, at, size)?);
        if take(bytes, at, 2)? != b"\r\n" {
            return Err(Reading::Wrong("no end of a chunk"));
        }
    }
}

fn number(length: &[u8]) -> Part<usize> {
    let is_number = !length.is_empty() && length.iter().all(u8::is_ascii_digit);
    is_number.then(|| text(length).parse().ok()).flatten().ok_or(Reading::Wrong("no length"))
}

/// Up to a LF, without its CR.
fn line<'b>(bytes: &'b [u8], at: &mut usize) -> Part<&'b [u8]> {
    let rest = &bytes[*at..];
    let end = rest.iter().position(|&byte| byte == b'\n').ok_or(Reading::Incomplete)?;
    *at += end + 1;
    let line = &rest[..end];
    Ok(line.strip_suffix(b"\r").unwrap_or(line))
}

/// Up to a CRLF.
fn whole_line<'b>(bytes: &'b [u8], at: &mut usize) -> Part<&'b [u8]> {
    let rest = &bytes[*at..];
    let end = rest.windows(2).position(|end| end == b"\r\n").ok_or(Reading::Incomplete)?;
    *at += end + 2;
    Ok(&rest[..end])
}

fn take<'b>(bytes: &'b [u8], at: &mut usize, count: usize) -> Part<&'b [u8]> {
    let data = bytes.get(*at..).and_then(|rest| rest.get(..count)).ok_or(Reading::Incomplete)?;
    *at += count;
    Ok(data)
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}
