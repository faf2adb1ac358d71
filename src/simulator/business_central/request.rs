//! A request as OData and SOAP see it.

use bytes::Bytes;
use hyper::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, IF_MATCH};
use hyper::{HeaderMap, Method};
use serde::de::DeserializeOwned;

use super::errors::BusinessCentralError;

/// The largest body of a request, in bytes.
pub(super) const MAX_BODY_BYTES: usize = 16 << 20;

/// A request whose whole body has arrived.
pub(super) struct ServiceRequest<'a> {
    pub method: &'a Method,
    pub headers: &'a HeaderMap,
    /// The raw query.
    pub query: &'a str,
    /// The body, or `None` if it was larger than [`MAX_BODY_BYTES`].
    pub body: Option<&'a Bytes>,
    /// The webhook receiver that has just answered the validation request.
    pub validated: Option<&'a str>,
}

/// The amount of control information in a response (`odata.metadata`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MetadataLevel {
    None,
    Minimal,
    Full,
}

impl ServiceRequest<'_> {
    /// Rejects methods other than GET and HEAD.
    pub fn expect_read(&self) -> Result<(), BusinessCentralError> {
        match *self.method {
            Method::GET | Method::HEAD => Ok(()),
            _ => Err(BusinessCentralError::Method(self.method.to_string())),
        }
    }

    /// The value of a query option, whose name is compared without case.
    pub fn option(&self, name: &str) -> Option<String> {
        let mut options = form_urlencoded::parse(self.query.as_bytes());
        options.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.into_owned())
    }

    pub fn whole_body(&self) -> Result<&Bytes, BusinessCentralError> {
        self.body.ok_or(BusinessCentralError::TooLarge)
    }

    /// The body, which must be uncompressed JSON.
    pub fn json_body<T: DeserializeOwned>(&self) -> Result<T, BusinessCentralError> {
        if self.media_type() != "application/json" || self.headers.contains_key(CONTENT_ENCODING) {
            return Err(BusinessCentralError::ContentType("application/json"));
        }
        serde_json::from_slice(without_mark(self.whole_body()?))
            .map_err(|error| BusinessCentralError::BadRequest(format!("The request body is no JSON object: {error}.")))
    }

    /// The media type of the body in lower case, without parameters.
    pub fn media_type(&self) -> String {
        self.header(CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    pub fn level(&self) -> MetadataLevel {
        let accepted = self.header(ACCEPT).to_ascii_lowercase();
        if accepted.contains("odata.metadata=full") {
            MetadataLevel::Full
        } else if accepted.contains("odata.metadata=none") {
            MetadataLevel::None
        } else {
            MetadataLevel::Minimal
        }
    }

    /// Whether `Prefer` contains this preference.
    pub fn prefers(&self, preference: &str) -> bool {
        self.preferences().any(|known| known.eq_ignore_ascii_case(preference))
    }

    pub fn preferences(&self) -> impl Iterator<Item = &str> {
        let values = self.headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split([',', ';'])).map(str::trim)
    }

    /// Checks `If-Match`, which changes and deletions require, against the ETag of the current version.
    pub fn check_tag(&self, current: &str) -> Result<(), BusinessCentralError> {
        match self.header(IF_MATCH) {
            "*" => Ok(()),
            tag if tag == current => Ok(()),
            tag if tag.starts_with("W/\"") => Err(BusinessCentralError::EntityChanged),
            _ => Err(BusinessCentralError::NoConcurrencyToken),
        }
    }

    /// The value of a header; empty if it is missing.
    pub fn header(&self, name: HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// The text after its byte order mark in UTF-8, which .NET's readers skip.
pub(super) fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text)
}
