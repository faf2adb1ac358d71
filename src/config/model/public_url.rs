//! The base of rewritten links.

use std::fmt;
use std::str::FromStr;

use crate::outbound::{Origin, OriginError};

/// An `http` or `https` URL without a path, which rewritten links start with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(Origin);

/// Why text is not a [`PublicUrl`]. The message says how to write one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublicUrlError {
    /// Not an `http` or `https` URL.
    #[error("write the address by which clients reach bcproxy, such as http://erp-gw:8080")]
    Malformed,
    /// The URL has a user name or password.
    #[error("remove the user name and password")]
    UserInfo,
    /// The port is no port.
    #[error("the port must be a number from 1 to 65535")]
    Port,
    /// The URL has a path, query or fragment.
    #[error("remove everything after host and port: that is the path of a route")]
    Path,
}

impl PublicUrl {
    /// Scheme, host and port.
    pub fn origin(&self) -> &Origin {
        &self.0
    }
}

impl FromStr for PublicUrl {
    type Err = PublicUrlError;

    fn from_str(text: &str) -> Result<Self, PublicUrlError> {
        let (origin, rest) = Origin::split(text).map_err(|error| match error {
            OriginError::Malformed | OriginError::OtherScheme => PublicUrlError::Malformed,
            OriginError::UserInfo => PublicUrlError::UserInfo,
            OriginError::Port => PublicUrlError::Port,
        })?;
        if matches!(rest, "" | "/") { Ok(Self(origin)) } else { Err(PublicUrlError::Path) }
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_after_host_and_port() {
        for (text, url) in [
            ("http://erp-gw:8080", "http://erp-gw:8080"),
            ("https://bc.example/", "https://bc.example"),
            ("http://[::1]:80", "http://[::1]"),
            ("https://bc.example:443", "https://bc.example"),
        ] {
            assert_eq!(text.parse::<PublicUrl>().unwrap().to_string(), url);
        }
        for (text, error) in [
            ("erp-gw", PublicUrlError::Malformed),
            ("erp-gw:8080", PublicUrlError::Malformed),
            ("ftp://erp-gw", PublicUrlError::Malformed),
            ("http://erp-gw:99999", PublicUrlError::Port),
            ("http://a@erp-gw", PublicUrlError::UserInfo),
            ("http://erp-gw/bc", PublicUrlError::Path),
            ("http://erp-gw?a", PublicUrlError::Path),
            ("http://erp-gw#a", PublicUrlError::Path),
        ] {
            assert_eq!(text.parse::<PublicUrl>(), Err(error), "{text}");
        }
    }
}
