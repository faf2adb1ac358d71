//! The parts that responses have in common.

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Response, StatusCode};
use serde_json::Value;

use super::request::MetadataLevel;

/// An OData response with a JSON body.
pub(super) fn json_response(status: StatusCode, level: MetadataLevel, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let json = match level {
        MetadataLevel::None => "application/json; odata.metadata=none; odata.streaming=true",
        MetadataLevel::Minimal => "application/json; odata.metadata=minimal; odata.streaming=true",
        MetadataLevel::Full => "application/json; odata.metadata=full; odata.streaming=true",
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(json));
    headers.insert("odata-version", HeaderValue::from_static("4.0"));
    response
}

/// A 204.
pub(super) fn no_content() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Inserts a header unless its value, which echoes client input, is not valid in a header.
pub(super) fn insert_header(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
