//! The path of a request: `/v2.0/[{tenant}/]{environment}/…`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use uuid::Uuid;

use super::errors::BusinessCentralError;

/// The characters that .NET's `Uri.EscapeDataString` escapes: all except letters, digits and `-_.~`.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The parsed path of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// The tenant, if the path names it.
    pub tenant: Option<String>,
    pub environment: String,
    /// The decoded segments after the environment.
    pub segments: Vec<String>,
}

/// A segment with or without a key: `customers(…)`, `customers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PathSegment<'a> {
    pub name: &'a str,
    pub key: Option<&'a str>,
}

impl Address {
    pub fn parse(raw_path: &str) -> Result<Self, BusinessCentralError> {
        let unknown = || BusinessCentralError::UnknownSegment(raw_path.to_owned());
        let mut segments = segments(raw_path)?.into_iter();
        if segments.next().as_deref() != Some("v2.0") {
            return Err(unknown());
        }
        let first = segments.next().ok_or_else(unknown)?;
        // The name of an environment is never a GUID and has no dot.
        let (tenant, environment) = if first.contains('.') || Uuid::try_parse(&first).is_ok() {
            (Some(first), segments.next().ok_or_else(unknown)?)
        } else {
            (None, first)
        };
        Ok(Self { tenant, environment, segments: segments.collect() })
    }
}

/// Splits a path and decodes its segments. Like every .NET server, it resolves `..`, even if escaped.
pub(super) fn segments(raw_path: &str) -> Result<Vec<String>, BusinessCentralError> {
    let mut segments = Vec::new();
    for raw in raw_path.trim_start_matches('/').trim_end_matches('/').split('/') {
        let decoded = percent_decode_str(raw).decode_utf8();
        match decoded.map_err(|_| BusinessCentralError::UnknownSegment(raw_path.to_owned()))?.as_ref() {
            "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment.to_owned()),
        }
    }
    Ok(segments)
}

impl<'a> PathSegment<'a> {
    pub fn parse(text: &'a str) -> Self {
        match text.strip_suffix(')').and_then(|text| text.split_once('(')) {
            Some((name, key)) => Self { name, key: Some(key) },
            None => Self { name: text, key: None },
        }
    }
}

/// Percent-encodes a text as one path segment.
pub(super) fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// Writes a text as an OData string literal in a path: quoted, apostrophes doubled, percent-encoded.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", escape(&text.replace('\'', "''")))
}

/// Reads an OData string literal; `None` if it is malformed.
pub(super) fn unquote(text: &str) -> Option<String> {
    let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
    let without_doubled = inner.replace("''", "");
    (!without_doubled.contains('\'')).then(|| inner.replace("''", "'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tenant_is_optional() {
        let address = Address::parse("/v2.0/Production/WS/M%C3%BCller%20%2F%20Co/Page/X").unwrap();
        assert_eq!((address.tenant, address.environment.as_str()), (None, "Production"));
        assert_eq!(address.segments, ["WS", "Müller / Co", "Page", "X"]);
        for tenant in ["cronus.onmicrosoft.com", "5d2c1f6e-0b7a-4c39-9e84-71a3c0de0001"] {
            let address = Address::parse(&format!("/v2.0/{tenant}/sandbox/api/v2.0/")).unwrap();
            assert_eq!(address.tenant.as_deref(), Some(tenant));
            assert_eq!(address.segments, ["api", "v2.0"]);
            assert_eq!(Address::parse(&format!("/v2.0/{tenant}/x/../sandbox/%2e/api/v2.0")).unwrap(), address);
        }
        for wrong in ["/", "/v1.0/Production", "/v2.0", "/v2.0/cronus.com", "/v2.0/Production/%FF"] {
            assert!(Address::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn literals_double_their_apostrophes() {
        assert_eq!(literal("O'Neil & Co"), "'O%27%27Neil%20%26%20Co'");
        assert_eq!(unquote("'O''Neil'").as_deref(), Some("O'Neil"));
        assert_eq!(unquote("'O'Neil'"), None);
        assert_eq!(unquote("'"), None);
    }

    #[test]
    fn a_key_is_between_the_first_and_the_last_parenthesis() {
        assert_eq!(PathSegment::parse("Company('A (B)')"), PathSegment { name: "Company", key: Some("'A (B)'") });
        assert_eq!(PathSegment::parse("companies"), PathSegment { name: "companies", key: None });
    }
}
