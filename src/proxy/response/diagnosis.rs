//! What an error response of Business Central says. The response stays as it is, since legacy clients read it. The
//! diagnosis goes into the log and the list of problems. What it says about the set-up also goes into `Proxy-Status`
//! (RFC 9209, section 2.1.4).

use std::fmt;
use std::io::Read;
use std::time::Duration;

use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

use crate::business_central::{error_code, soap};
use crate::guide::{self, KnownError};
use crate::proxy::upstream::UpstreamBody;

/// What an error response says.
#[derive(Debug)]
pub struct Diagnosis {
    status: StatusCode,
    /// `error.code` or the class of the fault, if it was read: a short word.
    code: Option<String>,
    /// Set if the set-up may be at fault.
    known_error: Option<&'static KnownError>,
}

impl Diagnosis {
    /// The value of `Proxy-Status` that carries what the response says about the set-up.
    pub fn proxy_status(&self) -> Option<HeaderValue> {
        proxy_status(self.status, self.known_error?)
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, code, known_error } = self;
        if let Some(known_error) = known_error {
            return known_error.fmt(f);
        }
        write!(f, "Business Central responded with {}", status.as_u16())?;
        if let Some(meaning) = status.canonical_reason() {
            write!(f, " {meaning}")?;
        }
        match code {
            Some(code) => write!(f, " ({code})."),
            None => f.write_str("."),
        }
    }
}

/// The diagnosis of an error response; `None` for any other. The body remains to be read.
pub async fn diagnose(response: &mut Response<UpstreamBody>) -> Result<Option<Box<Diagnosis>>, hyper::Error> {
    let status = response.status();
    if status < StatusCode::BAD_REQUEST {
        return Ok(None);
    }
    let kind = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let code = match status {
        StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND
            if kind.starts_with(b"application/json") =>
        {
            code_of(response).await?
        }
        StatusCode::INTERNAL_SERVER_ERROR if kind.starts_with(b"text/xml") => {
            text_of(response).await?.as_deref().and_then(soap::fault_class)
        }
        // The body does not matter.
        StatusCode::TOO_MANY_REQUESTS => None,
        _ => return Ok(Some(Box::new(Diagnosis { status, code: None, known_error: None }))),
    };
    let known_error = guide::business_central_error(status, code.as_deref());
    let is_word = |code: &String| code.len() <= MAX_CODE_BYTES && code.bytes().all(|byte| byte.is_ascii_graphic());
    Ok(Some(Box::new(Diagnosis { status, code: code.filter(is_word), known_error })))
}

fn proxy_status(received: StatusCode, known_error: &KnownError) -> Option<HeaderValue> {
    // A string of a structured field is ASCII.
    let text: String = known_error.to_string().replace('→', ">").chars().filter(|c| matches!(c, ' '..='~')).collect();
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    HeaderValue::try_from(format!("bcproxy; received-status={}; details=\"{text}\"", received.as_u16())).ok()
}

/// `error.code` of a response. The body remains to be read.
pub async fn code_of(response: &mut Response<UpstreamBody>) -> Result<Option<String>, hyper::Error> {
    Ok(text_of(response).await?.as_deref().and_then(error_code))
}

/// The body of a short response, decoded. It remains to be read.
async fn text_of(response: &mut Response<UpstreamBody>) -> Result<Option<Vec<u8>>, hyper::Error> {
    let is_gzip = response.headers().get(CONTENT_ENCODING).is_some_and(|coding| coding == "gzip");
    let body = response.body_mut();
    if !body.read_ahead(MAX_ERROR_BYTES, ERROR_READ_TIMEOUT).await? {
        return Ok(None);
    }
    let text: Vec<u8> = body.ahead().flatten().copied().collect();
    if !is_gzip {
        return Ok(Some(text));
    }
    let mut decoded = Vec::new();
    let decoder = flate2::read::MultiGzDecoder::new(text.as_slice());
    let is_decoded = decoder.take(MAX_ERROR_BYTES as u64).read_to_end(&mut decoded).is_ok();
    Ok(is_decoded.then_some(decoded))
}

/// The longest code that is shown; the longest known one has 60 characters.
const MAX_CODE_BYTES: usize = 100;

/// Error responses of Business Central have a few hundred bytes.
const MAX_ERROR_BYTES: usize = 64 * 1024;

/// Their bodies arrive together with their heads.
const ERROR_READ_TIMEOUT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_is_a_structured_one() {
        let field =
            proxy_status(StatusCode::FORBIDDEN, guide::business_central_error(StatusCode::FORBIDDEN, None).unwrap())
                .unwrap();
        let field = field.to_str().unwrap();
        assert!(
            field.starts_with("bcproxy; received-status=403; details=\"The application's permission sets"),
            "{field}"
        );
        assert!(field.contains("page \\\"Microsoft Entra Applications\\\""), "{field}");
        assert!(field.ends_with("See step 14 of the set-up guide (Permission sets): `bcproxy guide 14`.\""), "{field}");
    }
}
