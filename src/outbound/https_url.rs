//! The base URL of a service, which is only reached over verified TLS.

use std::fmt;
use std::str::FromStr;

use hyper::Uri;
use reqwest::Url;

use super::origin::{Origin, OriginError};

/// An absolute `https` URL without query, fragment or user name: an origin plus an optional path prefix.
///
/// The prefix never ends in a slash, which allows appending a path that starts with one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HttpsUrl {
    text: String,
    /// Scheme, host and port.
    pub(crate) origin: Origin,
}

/// Why a text is not an [`HttpsUrl`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpsUrlError {
    /// Not an absolute URL.
    #[error("this is not an address of the form https://host/path")]
    Malformed,
    /// Another scheme than `https`.
    #[error("the address must start with https:// (tokens and secrets never travel unencrypted)")]
    NotHttps,
    /// A user name or password in the URL.
    #[error("the address must not hold a user name or password")]
    UserInfo,
    /// The port is no port.
    #[error("the port of the address must be a number from 1 to 65535")]
    Port,
    /// A query or fragment.
    #[error("the address must not have a query (?…) or fragment (#…)")]
    Query,
}

impl HttpsUrl {
    /// The whole URL, without a trailing slash: `https://host:port/prefix`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host, and the port unless it is 443: `host:port`.
    pub fn authority(&self) -> &str {
        self.origin.authority()
    }

    /// The path prefix: empty, or starting with a slash and not ending in one.
    pub fn path(&self) -> &str {
        self.text.get(self.origin.as_str().len()..).unwrap_or_default()
    }
}

impl FromStr for HttpsUrl {
    type Err = HttpsUrlError;

    fn from_str(text: &str) -> Result<Self, HttpsUrlError> {
        let (origin, path) = Origin::split(text).map_err(|error| match error {
            OriginError::Malformed => HttpsUrlError::Malformed,
            OriginError::OtherScheme => HttpsUrlError::NotHttps,
            OriginError::UserInfo => HttpsUrlError::UserInfo,
            OriginError::Port => HttpsUrlError::Port,
        })?;
        if origin.scheme() != "https" {
            return Err(HttpsUrlError::NotHttps);
        }
        if path.contains(['?', '#']) {
            return Err(HttpsUrlError::Query);
        }
        let text = format!("{origin}{}", path.trim_end_matches('/'));
        text.parse::<Uri>().map_err(|_| HttpsUrlError::Malformed)?;
        // What one of our clients would normalize, the other would not: `.` and `..`, `\`, what has to be encoded.
        let normalized = Url::parse(&text).map_err(|_| HttpsUrlError::Malformed)?;
        if normalized.as_str().trim_end_matches('/') != text {
            return Err(HttpsUrlError::Malformed);
        }
        Ok(Self { text, origin })
    }
}

impl fmt::Display for HttpsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_split_into_origin_and_prefix() {
        let url: HttpsUrl = "https://Gateway.example:8443/bc/".parse().unwrap();
        assert_eq!(url.as_str(), "https://gateway.example:8443/bc");
        assert_eq!(url.origin.as_str(), "https://gateway.example:8443");
        assert_eq!(url.authority(), "gateway.example:8443");
        assert_eq!(url.path(), "/bc");
    }

    #[test]
    fn urls_that_could_leak_a_token_or_hide_the_target_are_rejected() {
        assert_eq!("http://host".parse::<HttpsUrl>(), Err(HttpsUrlError::NotHttps));
        assert_eq!("https://user@host".parse::<HttpsUrl>(), Err(HttpsUrlError::UserInfo));
        assert_eq!("https://host:99999".parse::<HttpsUrl>(), Err(HttpsUrlError::Port));
        assert_eq!("https://host/a b".parse::<HttpsUrl>(), Err(HttpsUrlError::Malformed));
        assert_eq!("https://host/?a=b".parse::<HttpsUrl>(), Err(HttpsUrlError::Query));
        assert_eq!("host".parse::<HttpsUrl>(), Err(HttpsUrlError::Malformed));
        for path in ["a/../b", "./a", "a/%2e%2E/b", "a\\..\\b", "a{b}"] {
            assert_eq!(format!("https://host/{path}").parse::<HttpsUrl>(), Err(HttpsUrlError::Malformed), "{path}");
        }
        for same in ["https://host", "https://host/a%20b/~c", "https://[fd00::1]:8443/a"] {
            assert_eq!(same.parse::<HttpsUrl>().unwrap().as_str(), same);
        }
    }
}
