//! The response of a token endpoint: Entra's, or that of Azure's service for managed identities.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::entra_error::EntraError;
use crate::bounded_body::read_body;
use crate::entra::claims::Claims;
use crate::entra::clock::ClockSkew;
use crate::outbound::retry_after;

/// A complete response.
pub struct TokenResponse {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    body: Zeroizing<Vec<u8>>,
    is_whole: bool,
}

/// What a successful response grants.
#[derive(Debug)]
pub struct TokenGrant {
    /// `Bearer …`, marked sensitive.
    pub authorization: HeaderValue,
    /// Counted from the moment the request was sent.
    pub lifetime: Duration,
    /// When to refresh the token, if the response says so.
    pub refresh_in: Option<Duration>,
    /// `None` if the token is opaque.
    pub claims: Option<Claims>,
}

impl TokenResponse {
    /// Reads the body, of at most 64 KiB.
    pub async fn read(response: reqwest::Response) -> Result<Self, reqwest::Error> {
        let (status, headers) = (response.status(), response.headers().clone());
        // Allocated in full: growing would leave copies of the token behind.
        let mut body = Zeroizing::new(Vec::with_capacity(MAX_RESPONSE_BYTES));
        let is_whole = read_body(reqwest::Body::from(response), MAX_RESPONSE_BYTES, &mut body).await?;
        Ok(Self { status, headers, body, is_whole })
    }

    /// Parses a successful response. The error is a phrase that says what the response is instead.
    pub fn grant(&self) -> Result<TokenGrant, &'static str> {
        let success: SuccessJson =
            serde_json::from_slice(&self.body).map_err(|_| self.unexpected_content("no token in the body"))?;
        success.into_grant(SystemTime::now())
    }

    /// Parses Entra's error response. The error is a phrase that says what the response is instead.
    pub fn entra_error(&self) -> Result<EntraError, &'static str> {
        let error: ErrorJson =
            serde_json::from_slice(&self.body).map_err(|_| self.unexpected_content("no error code in the body"))?;
        let clock_skew = ClockSkew::measure(&self.headers, SystemTime::now());
        Ok(error.into_error(self.status, retry_after(&self.headers), clock_skew))
    }

    /// `json` is the phrase for a body in JSON.
    fn unexpected_content(&self, json: &'static str) -> &'static str {
        let content_type = self.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        let first = self.body.trim_ascii_start().first();
        match () {
            () if self.status.is_redirection() => "a redirect, which bcproxy does not follow with a credential",
            () if !self.is_whole => "the body exceeds 64 KiB",
            () if self.body.is_empty() => "an empty body",
            () if content_type.starts_with(b"text/html") || first == Some(&b'<') => "a web page",
            () if content_type.starts_with(b"application/json") => json,
            () => "the body is not JSON",
        }
    }
}

/// A success. Times that are no numbers count as missing: the token is worth more than they are.
#[derive(Deserialize)]
struct SuccessJson {
    access_token: Zeroizing<String>,
    token_type: String,
    #[serde(default)]
    expires_in: Value,
    /// Seconds since 1970; App Service sends this instead.
    #[serde(default)]
    expires_on: Value,
    #[serde(default)]
    refresh_in: Value,
}

/// A number of seconds, which may be a string.
fn seconds(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        number => number.as_f64(),
    }
}

/// `None` outside the range of plausible lifetimes.
fn plausible_lifetime(seconds: f64) -> Option<Duration> {
    (1.0..=MAX_LIFETIME_SECONDS).contains(&seconds).then(|| Duration::from_secs_f64(seconds))
}

impl SuccessJson {
    fn into_grant(self, now: SystemTime) -> Result<TokenGrant, &'static str> {
        if !self.token_type.eq_ignore_ascii_case("Bearer") {
            return Err("the token is not a bearer token");
        }
        if self.access_token.is_empty() {
            return Err("the token is empty");
        }
        let is_token_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if !self.access_token.bytes().all(is_token_byte) {
            return Err(INVALID_CHARACTERS);
        }
        let text = Zeroizing::new(format!("Bearer {}", self.access_token.as_str()));
        let mut authorization = HeaderValue::try_from(text.as_str()).map_err(|_| INVALID_CHARACTERS)?;
        authorization.set_sensitive(true);
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let lifetime = match (seconds(&self.expires_in), seconds(&self.expires_on)) {
            (Some(seconds), _) => plausible_lifetime(seconds).ok_or("the lifetime of the token is invalid")?,
            (None, Some(end)) => plausible_lifetime(end - now)
                .ok_or("the expiry time of the token is invalid, or this machine's clock is wrong")?,
            (None, None) => DEFAULT_LIFETIME,
        };
        let refresh_in = seconds(&self.refresh_in).and_then(plausible_lifetime);
        Ok(TokenGrant {
            authorization,
            lifetime,
            refresh_in: refresh_in.filter(|&refresh| refresh < lifetime),
            claims: Claims::parse(&self.access_token),
        })
    }
}

/// Entra's error response.
#[derive(Deserialize)]
struct ErrorJson {
    error: String,
    #[serde(default)]
    error_codes: Vec<u32>,
    #[serde(default)]
    correlation_id: Option<Uuid>,
}

impl ErrorJson {
    fn into_error(
        self,
        status: StatusCode,
        retry_after: Option<Duration>,
        clock_skew: Option<ClockSkew>,
    ) -> EntraError {
        let is_code_char = |c: char| c.is_ascii_lowercase() || c == '_';
        let is_oauth_code = (1..=40).contains(&self.error.len()) && self.error.chars().all(is_code_char);
        EntraError {
            status,
            error: if is_oauth_code { self.error } else { "an unknown error".to_owned() },
            code: self.error_codes.first().copied(),
            correlation_id: self.correlation_id.map(|id| id.to_string()),
            retry_after,
            clock_skew,
            consent_advice: None,
        }
    }
}

/// Real responses have 2 to 4 KiB.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;

/// Entra's longest-lived tokens are valid for 28 hours.
const MAX_LIFETIME_SECONDS: f64 = 48.0 * 3600.0;

/// Tokens consist of letters, digits and `-._~+/=` (RFC 6750, section 2.1).
const INVALID_CHARACTERS: &str = "the token contains invalid characters";

/// MSAL assumes the same when Entra sends no lifetime.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    fn error(body: &str) -> EntraError {
        serde_json::from_str::<ErrorJson>(body).unwrap().into_error(StatusCode::UNAUTHORIZED, None, None)
    }

    #[test]
    fn an_error_keeps_its_code_and_names_the_fix() {
        let error = error(
            r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret hunter2.","error_codes":[7000215]}"#,
        );
        assert_eq!(error.code, Some(7000215));
        assert!(error.needs_setup());
        let text = error.to_string();
        assert!(text.starts_with("Entra issued no token (invalid_client, AADSTS7000215). The client secret is wrong"));
        assert!(!text.contains("hunter2"), "the description repeats parts of the request");
    }

    #[test]
    fn an_unknown_code_links_to_microsofts_page() {
        let error = error(r#"{"error":"interaction_required","error_codes":[123]}"#);
        assert!(error.to_string().contains("https://login.microsoftonline.com/error?code=123"));
    }

    #[test]
    fn only_oauth_codes_are_repeated() {
        assert_eq!(error(r#"{"error":"<script>hunter2"}"#).error, "an unknown error");
    }

    #[test]
    fn numbers_may_be_strings_and_must_be_plausible() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let grant = |text: &str| serde_json::from_str::<SuccessJson>(text).unwrap().into_grant(now);
        let token =
            grant(r#"{"token_type":"Bearer","access_token":"a","expires_in":"3599","refresh_in":1800}"#).unwrap();
        assert_eq!(token.lifetime, Duration::from_secs(3599));
        assert_eq!(token.refresh_in, Some(Duration::from_secs(1800)));
        assert!(token.authorization.is_sensitive());
        let without = grant(r#"{"token_type":"Bearer","access_token":"a"}"#).unwrap();
        assert_eq!(without.lifetime, DEFAULT_LIFETIME);
        let until = grant(r#"{"token_type":"Bearer","access_token":"a","expires_on":"1003600"}"#).unwrap();
        assert_eq!(until.lifetime, Duration::from_secs(3600));
        for wrong in [
            r#"{"token_type":"Bearer","access_token":"a","expires_in":0}"#,
            r#"{"token_type":"Bearer","access_token":"a","expires_on":"999999"}"#,
            r#"{"token_type":"Bearer","access_token":"a\r\nX: y","expires_in":9}"#,
            r#"{"token_type":"mac","access_token":"a","expires_in":9}"#,
        ] {
            assert!(grant(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_time_that_is_no_whole_number_does_not_lose_the_token() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        for (times, lifetime, refresh_in) in [
            (r#""expires_in":3599.0"#, 3599.0, None),
            (r#""expires_in":"3599.5""#, 3599.5, None),
            (r#""expires_in":3599,"refresh_in":-1"#, 3599.0, None),
            (r#""expires_in":3599,"refresh_in":1800.5"#, 3599.0, Some(1800.5)),
            (r#""expires_in":3599,"refresh_in":{"in":"half an hour"}"#, 3599.0, None),
            (r#""expires_on":1003600.0"#, 3600.0, None),
            (r#""expires_on":"09/14/2027 00:00:00 PM +00:00""#, 600.0, None),
            (r#""expires_in":"an hour","expires_on":1003600"#, 3600.0, None),
            (r#""expires_in":"nan""#, 600.0, None),
            (r#""expires_in":null"#, 600.0, None),
        ] {
            let text = format!(r#"{{"token_type":"Bearer","access_token":"a",{times}}}"#);
            let token = serde_json::from_str::<SuccessJson>(&text).unwrap().into_grant(now).unwrap();
            assert_eq!(token.lifetime, Duration::from_secs_f64(lifetime), "{times}");
            assert_eq!(token.refresh_in, refresh_in.map(Duration::from_secs_f64), "{times}");
        }
    }

    #[test]
    fn what_is_no_bearer_token_is_none() {
        let grant = |token: &str| {
            let body = serde_json::json!({ "token_type": "Bearer", "access_token": token, "expires_in": 3599 });
            serde_json::from_value::<SuccessJson>(body).unwrap().into_grant(UNIX_EPOCH)
        };
        assert_eq!(grant("").unwrap_err(), "the token is empty");
        for wrong in [" ", "a b", "a\tb", "a ", "tök", "a\r\nX: y", "a,b"] {
            assert_eq!(grant(wrong).unwrap_err(), INVALID_CHARACTERS, "{wrong:?}");
        }
        assert!(grant("eyJ0eXAi.eyJh-_.c2ln~+/==").is_ok());
    }
}
