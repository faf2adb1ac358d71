//! The base of rewritten links.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use hyper::http::uri::{Scheme, Uri};

/// An `http` or `https` URL without a path, which rewritten links start with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(Arc<str>);

/// Why text is not a [`PublicUrl`]. The message says how to write one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublicUrlError {
    /// Not an `http` or `https` URL.
    #[error("write the address by which clients reach bcproxy, such as http://erp-gw:8080")]
    Malformed,
    /// The URL has a user name or password.
    #[error("remove the user name and password")]
    UserInfo,
    /// The URL has a path, query or fragment.
    #[error("remove everything after host and port: that is the path of a route")]
    Path,
}

impl PublicUrl {
    /// Scheme, host and port, without a trailing slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Host and port.
    pub fn authority(&self) -> &str {
        self.0.split_once("://").map_or("", |(_, authority)| authority)
    }
}

impl FromStr for PublicUrl {
    type Err = PublicUrlError;

    fn from_str(text: &str) -> Result<Self, PublicUrlError> {
        let uri: Uri = text.parse().map_err(|_| PublicUrlError::Malformed)?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(PublicUrlError::Malformed);
        };
        if *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS {
            return Err(PublicUrlError::Malformed);
        }
        if authority.as_str().contains('@') {
            return Err(PublicUrlError::UserInfo);
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() || text.contains('#') {
            return Err(PublicUrlError::Path);
        }
        Ok(Self(format!("{scheme}://{authority}").into()))
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
            ("http://[::1]:80", "http://[::1]:80"),
        ] {
            assert_eq!(text.parse::<PublicUrl>().unwrap().as_str(), url);
        }
        for (text, error) in [
            ("erp-gw", PublicUrlError::Malformed),
            ("erp-gw:8080", PublicUrlError::Malformed),
            ("ftp://erp-gw", PublicUrlError::Malformed),
            ("http://a@erp-gw", PublicUrlError::UserInfo),
            ("http://erp-gw/bc", PublicUrlError::Path),
            ("http://erp-gw?a", PublicUrlError::Path),
            ("http://erp-gw#a", PublicUrlError::Path),
        ] {
            assert_eq!(text.parse::<PublicUrl>(), Err(error), "{text}");
        }
    }
}
