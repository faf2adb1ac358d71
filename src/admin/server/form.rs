//! The body of a form, up to a limit.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Body;
use hyper::header::CONTENT_TYPE;
use hyper::{HeaderMap, StatusCode};
use zeroize::Zeroizing;

use super::text_response::TextResponse;
use crate::bounded_body::read_pieces;
use crate::secret::Secret;

/// The fields of a form (`application/x-www-form-urlencoded`). They are zeroed on drop and never printed: one may be a
/// token.
pub struct Form(Zeroizing<Vec<u8>>);

/// Why a form can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    #[error("Send the fields as a form (Content-Type: application/x-www-form-urlencoded).")]
    NoForm,
    #[error("The form exceeds {} KiB.", MAX_FORM_BYTES / 1024)]
    TooLarge,
    #[error("The form did not arrive within {} s.", FORM_TIMEOUT.as_secs())]
    TooSlow,
    #[error("The form did not arrive to its end.")]
    Incomplete,
}

impl Form {
    /// Receives a form: at most 16 KiB, within 10 s. A request without a body is an empty form.
    pub async fn read(headers: &HeaderMap, body: impl Body<Data = Bytes>) -> Result<Self, FormError> {
        let limit = match body.size_hint().exact() {
            Some(0) => return Ok(Self(Zeroizing::default())),
            _ if !is_form(headers) => return Err(FormError::NoForm),
            Some(length) if length > MAX_FORM_BYTES as u64 => return Err(FormError::TooLarge),
            _ => MAX_FORM_BYTES,
        };
        // Allocated in full: growing would leave copies of a token behind.
        let mut fields = Zeroizing::new(Vec::with_capacity(limit));
        let reading = read_pieces(body, limit, |piece| fields.extend_from_slice(piece));
        match tokio::time::timeout(FORM_TIMEOUT, reading).await {
            Ok(Ok(true)) => Ok(Self(fields)),
            Ok(Ok(false)) => Err(FormError::TooLarge),
            Ok(Err(_)) => Err(FormError::Incomplete),
            Err(_) => Err(FormError::TooSlow),
        }
    }

    /// The value of the first field with this name.
    pub fn field(&self, name: &str) -> Option<Secret> {
        let (_, value) = form_urlencoded::parse(&self.0).find(|(key, _)| key == name)?;
        Some(Secret::new(Cow::into_owned(value)))
    }
}

impl FormError {
    /// The response that tells the client.
    pub fn response(self) -> TextResponse {
        let status = match self {
            Self::NoForm => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Incomplete => StatusCode::BAD_REQUEST,
        };
        TextResponse::plain(status, self.to_string())
    }
}

/// Whether the media type is that of a form.
fn is_form(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

const MAX_FORM_BYTES: usize = 16 * 1024;

const FORM_TIMEOUT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use http_body_util::Full;
    use hyper::header::HeaderValue;

    use super::*;

    async fn read(content_type: Option<&'static str>, body: String) -> Result<Form, FormError> {
        let mut headers = HeaderMap::new();
        headers.extend(content_type.map(|value| (CONTENT_TYPE, HeaderValue::from_static(value))));
        Form::read(&headers, Full::new(Bytes::from(body))).await
    }

    const FORM: Option<&str> = Some("application/x-www-form-urlencoded; charset=UTF-8");

    #[tokio::test]
    async fn a_form_is_read_up_to_its_limit() {
        let form = read(FORM, "connector=cr%C3%B6nus+1&token=a%26b&token=c".to_owned()).await.ok().unwrap();
        let field = |name| form.field(name).map(|value| value.expose().to_owned());
        assert_eq!(field("connector").as_deref(), Some("crönus 1"));
        assert_eq!(field("token").as_deref(), Some("a&b"));
        assert_eq!(field("other"), None);
        assert!(read(None, String::new()).await.ok().unwrap().field("connector").is_none());
        for (content_type, body, error) in [
            (None, "token=x".to_owned(), FormError::NoForm),
            (Some("text/plain"), "token=x".to_owned(), FormError::NoForm),
            (FORM, format!("token={}", "x".repeat(MAX_FORM_BYTES)), FormError::TooLarge),
        ] {
            assert_eq!(read(content_type, body).await.err(), Some(error));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_form_that_does_not_arrive_is_given_up() {
        let mut headers = HeaderMap::new();
        headers.extend(FORM.map(|value| (CONTENT_TYPE, HeaderValue::from_static(value))));
        let never = http_body_util::StreamBody::new(futures_util::stream::pending::<
            Result<hyper::body::Frame<Bytes>, std::convert::Infallible>,
        >());
        assert_eq!(Form::read(&headers, never).await.err(), Some(FormError::TooSlow));
    }
}
