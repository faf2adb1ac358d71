//! What a token endpoint answers, read: Entra's and that of Azure's managed identities.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Deserialize;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::claims::Claims;
use super::clock::ClockSkew;
use super::token_error::EntraError;
use crate::outbound::retry_after;

/// An answer, read to its end.
pub struct TokenAnswer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Zeroizing<Vec<u8>>,
}

/// What a successful answer grants.
#[derive(Debug)]
pub struct Granted {
    /// `Bearer …`, marked sensitive.
    pub authorization: HeaderValue,
    /// From the moment the request was sent.
    pub lifetime: Duration,
    /// When it is to be refreshed, if that was said.
    pub refresh_in: Option<Duration>,
    /// `None` when the token can't be looked into.
    pub claims: Option<Claims>,
}

/// An answer in the making, up to [`MAX_ANSWER_BYTES`].
pub struct Body(Zeroizing<Vec<u8>>);

/// More came than any token needs.
#[derive(Debug)]
pub struct TooLong;

impl Body {
    pub fn new() -> Self {
        // The whole room at once: growing would leave copies of the token behind.
        Self(Zeroizing::new(Vec::with_capacity(MAX_ANSWER_BYTES)))
    }

    pub fn add(&mut self, piece: &[u8]) -> Result<(), TooLong> {
        if self.0.len() + piece.len() > MAX_ANSWER_BYTES {
            return Err(TooLong);
        }
        self.0.extend_from_slice(piece);
        Ok(())
    }

    pub fn finish(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}

impl TokenAnswer {
    /// What is granted, or, in a few words, why this is nobody's answer to a token request.
    pub fn granted(&self) -> Result<Granted, &'static str> {
        let issued: Issued = serde_json::from_slice(&self.body).map_err(|_| self.strangeness("no token in it"))?;
        issued.granted(SystemTime::now())
    }

    /// Entra's refusal, or why this is none.
    pub fn refused(&self) -> Result<EntraError, &'static str> {
        let refused: Refused = serde_json::from_slice(&self.body).map_err(|_| self.strangeness("no error in it"))?;
        let clock = ClockSkew::of(&self.headers, SystemTime::now());
        Ok(refused.into_error(self.status, retry_after(&self.headers), clock))
    }

    /// What it is instead.
    fn strangeness(&self, otherwise: &'static str) -> &'static str {
        let kind = self.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        let begins = self.body.trim_ascii_start().first();
        match () {
            () if self.status.is_redirection() => "a redirect, which is not followed with a credential",
            () if self.body.is_empty() => "an empty answer",
            () if kind.starts_with(b"text/html") || begins == Some(&b'<') => "a web page",
            () if kind.starts_with(b"application/json") => otherwise,
            () => "no JSON",
        }
    }
}

/// A success; numbers may come as strings.
#[derive(Deserialize)]
struct Issued {
    access_token: Zeroizing<String>,
    token_type: String,
    #[serde(default)]
    expires_in: Option<Number>,
    /// Seconds since 1970: what App Service says instead.
    #[serde(default)]
    expires_on: Option<Number>,
    #[serde(default)]
    refresh_in: Option<Number>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Number(u64),
    Text(String),
}

impl Number {
    fn value(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok(),
        }
    }
}

/// A time a token may live.
fn lifetime(seconds: Option<u64>) -> Option<Duration> {
    seconds.filter(|seconds| (1..=MAX_LIFETIME_SECONDS).contains(seconds)).map(Duration::from_secs)
}

impl Issued {
    fn granted(self, now: SystemTime) -> Result<Granted, &'static str> {
        if !self.token_type.eq_ignore_ascii_case("Bearer") {
            return Err("a token that is no bearer token");
        }
        let text = Zeroizing::new(format!("Bearer {}", self.access_token.as_str()));
        let mut authorization =
            HeaderValue::try_from(text.as_str()).map_err(|_| "a token with forbidden characters")?;
        authorization.set_sensitive(true);
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let until = |end: &Number| end.value().and_then(|end| end.checked_sub(now));
        let lifetime_said = match (&self.expires_in, &self.expires_on) {
            (Some(seconds), _) => lifetime(seconds.value()).ok_or("a lifetime that makes no sense")?,
            (None, Some(end)) => {
                lifetime(until(end)).ok_or("an end that makes no sense, or this machine's clock is wrong")?
            }
            (None, None) => LIFETIME_WHEN_UNSAID,
        };
        let refresh_in = self.refresh_in.as_ref().and_then(|seconds| lifetime(seconds.value()));
        Ok(Granted {
            authorization,
            lifetime: lifetime_said,
            refresh_in: refresh_in.filter(|&refresh| refresh < lifetime_said),
            claims: Claims::read(&self.access_token),
        })
    }
}

/// A refusal as Entra writes it.
#[derive(Deserialize)]
struct Refused {
    error: String,
    #[serde(default)]
    error_codes: Vec<u32>,
    #[serde(default)]
    correlation_id: Option<Uuid>,
}

impl Refused {
    fn into_error(self, status: StatusCode, retry_after: Option<Duration>, clock: Option<ClockSkew>) -> EntraError {
        let is_word = |c: char| c.is_ascii_lowercase() || c == '_';
        let is_oauth_word = (1..=40).contains(&self.error.len()) && self.error.chars().all(is_word);
        EntraError {
            status,
            error: if is_oauth_word { self.error } else { "an unknown error".to_owned() },
            code: self.error_codes.first().copied(),
            correlation_id: self.correlation_id.map(|id| id.to_string()),
            retry_after,
            clock,
        }
    }
}

/// Real answers have 2 to 4 KiB.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Entra's longest-lived tokens live 28 hours.
const MAX_LIFETIME_SECONDS: u64 = 48 * 3600;

/// What MSAL assumes when Entra does not say.
const LIFETIME_WHEN_UNSAID: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> EntraError {
        serde_json::from_str::<Refused>(body).unwrap().into_error(StatusCode::UNAUTHORIZED, None, None)
    }

    #[test]
    fn an_error_keeps_its_code_and_says_what_to_do() {
        let error = refused(
            r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret hunter2.","error_codes":[7000215]}"#,
        );
        assert_eq!(error.code, Some(7000215));
        assert!(error.needs_setup());
        let text = error.to_string();
        assert!(text.starts_with("Entra issues no token (invalid_client, AADSTS7000215). The client secret is wrong"));
        assert!(!text.contains("hunter2"), "the description repeats what a request held");
    }

    #[test]
    fn an_unknown_code_leads_to_microsofts_page() {
        let error = refused(r#"{"error":"interaction_required","error_codes":[123]}"#);
        assert!(error.to_string().contains("https://login.microsoftonline.com/error?code=123"));
    }

    #[test]
    fn only_oauths_words_are_repeated() {
        assert_eq!(refused(r#"{"error":"<script>hunter2"}"#).error, "an unknown error");
    }

    #[test]
    fn numbers_may_be_strings_and_must_make_sense() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let issued = |text: &str| serde_json::from_str::<Issued>(text).unwrap().granted(now);
        let token =
            issued(r#"{"token_type":"Bearer","access_token":"a","expires_in":"3599","refresh_in":1800}"#).unwrap();
        assert_eq!(token.lifetime, Duration::from_secs(3599));
        assert_eq!(token.refresh_in, Some(Duration::from_secs(1800)));
        assert!(token.authorization.is_sensitive());
        let unsaid = issued(r#"{"token_type":"Bearer","access_token":"a"}"#).unwrap();
        assert_eq!(unsaid.lifetime, LIFETIME_WHEN_UNSAID);
        let until = issued(r#"{"token_type":"Bearer","access_token":"a","expires_on":"1003600"}"#).unwrap();
        assert_eq!(until.lifetime, Duration::from_secs(3600));
        for wrong in [
            r#"{"token_type":"Bearer","access_token":"a","expires_in":0}"#,
            r#"{"token_type":"Bearer","access_token":"a","expires_on":"999999"}"#,
            r#"{"token_type":"Bearer","access_token":"a\r\nX: y","expires_in":9}"#,
            r#"{"token_type":"mac","access_token":"a","expires_in":9}"#,
        ] {
            assert!(issued(wrong).is_err(), "{wrong}");
        }
    }
}
