//! The `Content-Type` of a request's body, as far as every server reads it alike.

use hyper::header::{CONTENT_TYPE, HeaderMap};

/// What a `Content-Type` says of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentType {
    Json,
    /// Another media type, or none: Business Central's reader rejects a body without one (Microsoft.OData.Core,
    /// `ODataMessageReader_NoneOrEmptyContentTypeHeader`).
    Other,
    /// Business Central could read it otherwise than bcproxy: it is no media type, or more than one.
    Ambiguous,
}

impl ContentType {
    /// The type that these headers give (RFC 9110, section 8.3).
    pub fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(CONTENT_TYPE).iter();
        let Some(value) = values.next() else { return Self::Other };
        // `to_str` accepts only visible ASCII, spaces and tabs.
        let Some(text) = value.to_str().ok().filter(|text| !text.contains(',') && values.next().is_none()) else {
            return Self::Ambiguous;
        };
        let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.split_once('/') {
            None if text.trim().is_empty() => Self::Other,
            Some((kind, subtype)) if is_name(kind) && is_name(subtype) => match essence.as_str() {
                "application/json" | "text/json" => Self::Json,
                other if other.ends_with("+json") => Self::Json,
                _ => Self::Other,
            },
            _ => Self::Ambiguous,
        }
    }
}

/// Whether no other charset than UTF-8 is declared.
pub fn is_utf8(headers: &HeaderMap) -> bool {
    let kinds = headers.get_all(CONTENT_TYPE).iter().filter_map(|kind| kind.to_str().ok());
    kinds.flat_map(|kind| kind.split(';').skip(1)).all(|parameter| match parameter.split_once('=') {
        // `charset*=` is the same in the notation of RFC 8187.
        Some((name, charset)) if name.trim().to_ascii_lowercase().starts_with("charset") => {
            let charset = charset.trim().trim_matches('"').to_ascii_lowercase();
            matches!(charset.as_str(), "utf-8" | "utf8" | "us-ascii")
        }
        _ => true,
    })
}

/// Whether this is the name of a type or subtype (RFC 6838, section 4.2). It has no `*`: a range is no type.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn of(values: &[&[u8]]) -> ContentType {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CONTENT_TYPE, HeaderValue::from_bytes(value).unwrap());
        }
        ContentType::of(&headers)
    }

    #[test]
    fn one_media_type_is_read_whatever_its_parameters() {
        for json in [
            &b"application/json"[..],
            b" Application/JSON ; charset=\"utf-8\"",
            b"application/json;odata.metadata=minimal;IEEE754Compatible=true;",
            b"application/json; utf-8",
            b"text/json",
            b"application/problem+json",
        ] {
            assert_eq!(of(&[json]), ContentType::Json, "{}", json.escape_ascii());
        }
        for other in [&b"text/xml; charset=utf-8"[..], b"image/png", b"multipart/mixed; boundary=\"a b\""] {
            assert_eq!(of(&[other]), ContentType::Other, "{}", other.escape_ascii());
        }
        assert_eq!((of(&[]), of(&[b" "])), (ContentType::Other, ContentType::Other));
    }

    #[test]
    fn what_two_servers_could_read_differently_is_ambiguous() {
        for ambiguous in [
            &b"application/json\xa0"[..],
            b"\xa0application/json",
            b"application/json; x=\xe4",
            b"application/json; x=\"\x80\"",
            b"text/plain, application/json",
            b"text/plain; x=\",\"",
            b"application/json charset=utf-8",
            b"json",
            b"*/*",
            b"application/*",
            b"application/",
            b"; application/json",
        ] {
            assert_eq!(of(&[ambiguous]), ContentType::Ambiguous, "{}", ambiguous.escape_ascii());
        }
        assert_eq!(of(&[b"text/plain", b"application/json"]), ContentType::Ambiguous);
    }
}
