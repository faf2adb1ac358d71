//! A service's demand for additional claims in the token.
//!
//! Source: Entra, "Claims challenges, claims requests, and client capabilities".

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hyper::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use serde_json::{Map, Value};

/// The claims a service demands: a JSON object for the parameter `claims` of the next token request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimsChallenge(String);

impl ClaimsChallenge {
    /// Finds the challenge in the headers of a 401: `Bearer error="insufficient_claims", claims="…"` (JSON in base64).
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        Self::from_values(headers.get_all(WWW_AUTHENTICATE))
    }

    /// Finds the challenge in the values of `WWW-Authenticate`.
    pub fn from_values<'h>(values: impl IntoIterator<Item = &'h HeaderValue>) -> Option<Self> {
        values.into_iter().filter_map(|value| value.to_str().ok()).find_map(Self::parse)
    }

    /// The JSON object.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parse(challenge: &str) -> Option<Self> {
        if parameter(challenge, "error")? != "insufficient_claims" {
            return None;
        }
        // Services use both base64 alphabets, with and without padding.
        let plain: String = parameter(challenge, "claims")?
            .chars()
            .map(|letter| match letter {
                '-' => '+',
                '_' => '/',
                other => other,
            })
            .collect();
        let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        let json = GeneralPurpose::new(&alphabet::STANDARD, lenient).decode(plain).ok()?;
        let claims: Map<String, Value> = serde_json::from_slice(&json).ok()?;
        Some(Self(Value::Object(claims).to_string()))
    }
}

/// The value of a quoted parameter (RFC 9110, section 11.2).
fn parameter<'c>(challenge: &'c str, name: &str) -> Option<&'c str> {
    let mut rest = challenge;
    while let Some((before, after)) = rest.split_once("=\"") {
        let (value, next) = after.split_once('"')?;
        let found = before.rsplit([' ', ',']).next().unwrap_or(before);
        if found.eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = next;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &'static str) -> Option<ClaimsChallenge> {
        ClaimsChallenge::from_headers(&HeaderMap::from_iter([(WWW_AUTHENTICATE, HeaderValue::from_static(value))]))
    }

    #[test]
    fn claims_are_read_from_a_challenge_for_insufficient_claims_only() {
        let claims = r#"{"access_token":{"nbf":{"essential":true,"value":"1"}}}"#;
        for value in [
            "Bearer realm=\"\", error=\"insufficient_claims\", claims=\"eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwidmFsdWUiOiIxIn19fQ==\"",
            "Bearer claims=\"eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwidmFsdWUiOiIxIn19fQ\",error=\"insufficient_claims\"",
        ] {
            assert_eq!(of(value).unwrap().as_str(), claims, "{value}");
        }
        for value in [
            "Bearer",
            "Bearer error=\"invalid_token\", claims=\"e30\"",
            "Bearer error=\"insufficient_claims\"",
            "Bearer error=\"insufficient_claims\", claims=\"%%\"",
            "Bearer error=\"insufficient_claims\", claims=\"W10\"",
            "Bearer error=\"insufficient_claims\", claims=\"e30",
        ] {
            assert_eq!(of(value), None, "{value}");
        }
    }
}
