//! The encoding of bodies: gzip in both directions, and JSON with escaped slashes.

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use hyper::Response;
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, RANGE, VARY};
use hyper::http::request::Parts;

use super::errors::BusinessCentralError;
use super::request::{MAX_BODY_BYTES, ServiceRequest};
use crate::simulator::settings::Settings;

/// The decompressed body of a request.
pub(super) fn decoded(request: &ServiceRequest) -> Result<Bytes, BusinessCentralError> {
    let body = request.whole_body()?;
    match request.header(CONTENT_ENCODING).to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(body.clone()),
        "gzip" => {
            let mut decoded = Vec::new();
            // One byte beyond the limit shows that the body is too large.
            let mut decoder = MultiGzDecoder::new(body.as_ref()).take(MAX_BODY_BYTES as u64 + 1);
            decoder
                .read_to_end(&mut decoded)
                .map_err(|error| BusinessCentralError::BadRequest(format!("The request body is no gzip: {error}.")))?;
            if decoded.len() > MAX_BODY_BYTES { Err(BusinessCentralError::TooLarge) } else { Ok(decoded.into()) }
        }
        _ => Err(BusinessCentralError::Encoding),
    }
}

/// Encodes the body of a response as the settings and the request ask for.
pub(super) fn encode(response: Response<Bytes>, head: &Parts, settings: &Settings) -> Response<Bytes> {
    let (mut parts, mut body) = response.into_parts();
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_json = content_type.starts_with("application/json");
    let is_text = is_json || content_type.contains("xml") || content_type.starts_with("text/");
    if settings.escape_slashes && is_json {
        // Slashes occur only in strings, and `serde_json` never escapes them.
        body = String::from_utf8_lossy(&body).replace('/', "\\/").into();
    }
    let wanted = settings.compress_responses && is_text && !body.is_empty();
    if wanted && accepts_gzip(head) && !head.headers.contains_key(RANGE) {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        // Writing to memory can't fail; otherwise the response would stay uncompressed.
        if let Ok(compressed) = encoder.write_all(&body).and_then(|()| encoder.finish()) {
            body = compressed.into();
            parts.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            parts.headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        }
    }
    Response::from_parts(parts, body)
}

fn accepts_gzip(head: &Parts) -> bool {
    let values = head.headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
        let is_excluded = matches!(quality.replace(' ', "").as_str(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000");
        matches!(name.trim().to_ascii_lowercase().as_str(), "gzip" | "x-gzip" | "*") && !is_excluded
    })
}
