//! The identifiers by which Microsoft finds a request in its own logs: a support ticket has to name them.
//!
//! Business Central takes `client-request-id` as the operation id of its telemetry (BC, "Web service telemetry").

use std::fmt;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};

/// The identifiers of one response of Business Central.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseIds {
    request_id: Option<HeaderValue>,
    correlation_id: Option<HeaderValue>,
    client_request_id: Option<HeaderValue>,
}

impl ResponseIds {
    /// Those in the head of a response; `None` if it has none. Makes no copy of the values.
    pub fn of(headers: &HeaderMap) -> Option<Box<Self>> {
        let [request_id, correlation_id] = [&REQUEST_ID, &CORRELATION_ID].map(|name| headers.get(name).cloned());
        let is_any = request_id.is_some() || correlation_id.is_some();
        is_any.then(|| Box::new(Self { request_id, correlation_id, client_request_id: None }))
    }

    /// The same, of a request that was sent with this `client-request-id`.
    pub fn sent_with(mut self: Box<Self>, client_request_id: Option<HeaderValue>) -> Box<Self> {
        self.client_request_id = client_request_id;
        self
    }

    /// `request-id`.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_ref().and_then(identifier)
    }

    /// `ms-correlation-x`.
    pub fn correlation_id(&self) -> Option<&str> {
        self.correlation_id.as_ref().and_then(identifier)
    }

    /// The `client-request-id` that the request was sent with.
    pub fn client_request_id(&self) -> Option<&str> {
        self.client_request_id.as_ref().and_then(identifier)
    }
}

/// A sentence that names them. Empty if none is fit to be shown.
impl fmt::Display for ResponseIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = [
            (REQUEST_ID, self.request_id()),
            (CORRELATION_ID, self.correlation_id()),
            (CLIENT_REQUEST_ID, self.client_request_id()),
        ];
        let mut before = "For a ticket to Microsoft: ";
        for (name, value) in values.iter().filter_map(|(name, value)| Some((name, (*value)?))) {
            write!(f, "{before}{name} {value}")?;
            before = ", ";
        }
        if before == ", " { f.write_str(".") } else { Ok(()) }
    }
}

/// The text of an identifier, cut to 100 characters. `None` for anything but visible ASCII: it could pretend to be
/// another part of a log line or message.
pub fn identifier(value: &HeaderValue) -> Option<&str> {
    let text = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic()))?;
    text.get(..text.len().min(MAX_BYTES)).filter(|text| !text.is_empty())
}

/// Recorded in Business Central's telemetry, as the operation id.
pub const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");

const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

const CORRELATION_ID: HeaderName = HeaderName::from_static("ms-correlation-x");

/// A GUID has 36.
const MAX_BYTES: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(lines: &[(HeaderName, &[u8])]) -> Option<Box<ResponseIds>> {
        let value = |value: &[u8]| HeaderValue::from_bytes(value).unwrap();
        ResponseIds::of(&lines.iter().map(|(name, text)| (name.clone(), value(text))).collect())
    }

    #[test]
    fn a_sentence_names_those_that_are_fit_to_be_shown() {
        assert_eq!(ids(&[(CLIENT_REQUEST_ID, b"a")]), None, "it is the request's");
        let both = ids(&[(REQUEST_ID, b"8d1f"), (CORRELATION_ID, b"77")]).unwrap();
        assert_eq!(both.to_string(), "For a ticket to Microsoft: request-id 8d1f, ms-correlation-x 77.");
        let both = both.sent_with(Some(HeaderValue::from_static("0b")));
        assert!(both.to_string().ends_with(" 77, client-request-id 0b."), "{both}");
        let long = "x".repeat(5_000);
        let strange = ids(&[(REQUEST_ID, b"a b\xfc"), (CORRELATION_ID, long.as_bytes())]).unwrap();
        assert_eq!((strange.request_id(), strange.correlation_id().map(str::len)), (None, Some(MAX_BYTES)));
        for value in [&b"a b"[..], b"\xfc", b""] {
            assert_eq!(ids(&[(REQUEST_ID, value)]).unwrap().to_string(), "");
        }
    }
}
