//! What is sent to an OpenTelemetry collector.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use hyper::Uri;
use hyper::header::HeaderName;

use super::share::Share;
use crate::outbound::{Origin, OriginError, OutboundProxy};
use crate::secret::SecretSource;

/// An OpenTelemetry collector, and what it gets.
#[derive(Debug, Clone, PartialEq)]
pub struct Otlp {
    /// Where it is.
    pub endpoint: CollectorUrl,
    /// Headers that it requires.
    pub headers: Vec<(HeaderName, SecretSource)>,
    /// The share of the requests that are traced. `None`: none is, and `traceparent` is not read.
    pub traces: Option<Share>,
    /// How often it gets metrics. `None`: never.
    pub metrics: Option<Duration>,
    /// Whether it gets what is logged.
    pub logs: bool,
    /// The attribute `service.name`.
    pub service_name: String,
    /// Further attributes of the resource.
    pub resource_attributes: Vec<(String, String)>,
    /// Certificates to trust in addition to those of this machine.
    pub ca_file: Option<PathBuf>,
    /// The proxy on the way to it.
    pub outbound_proxy: OutboundProxy,
}

/// The address of a collector: an `http` or `https` URL without query, fragment or user name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectorUrl {
    text: String,
    origin: Origin,
}

/// Why text is not a [`CollectorUrl`]. The message says how to write one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CollectorUrlError {
    #[error("write the address of the collector, such as https://collector.example:4318")]
    Malformed,
    #[error("remove the user name and password; set `headers` instead")]
    UserInfo,
    #[error("the port must be a number from 1 to 65535")]
    Port,
    #[error("remove the query (?…) or fragment (#…)")]
    Query,
    #[error("remove /v1/traces, /v1/metrics or /v1/logs: bcproxy appends them")]
    Signal,
}

impl CollectorUrl {
    /// The whole URL, without a trailing slash.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether connections to it are encrypted.
    pub fn is_https(&self) -> bool {
        self.origin.scheme() == "https"
    }

    /// Whether it is on this machine.
    pub fn is_local(&self) -> bool {
        let host = self.origin.host();
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl FromStr for CollectorUrl {
    type Err = CollectorUrlError;

    fn from_str(text: &str) -> Result<Self, CollectorUrlError> {
        let (origin, path) = Origin::split(text).map_err(|error| match error {
            OriginError::Malformed | OriginError::OtherScheme => CollectorUrlError::Malformed,
            OriginError::UserInfo => CollectorUrlError::UserInfo,
            OriginError::Port => CollectorUrlError::Port,
        })?;
        if path.contains(['?', '#']) {
            return Err(CollectorUrlError::Query);
        }
        let path = path.trim_end_matches('/');
        if ["/v1/traces", "/v1/metrics", "/v1/logs"].iter().any(|signal| path.ends_with(signal)) {
            return Err(CollectorUrlError::Signal);
        }
        let text = format!("{origin}{path}");
        text.parse::<Uri>().map_err(|_| CollectorUrlError::Malformed)?;
        Ok(Self { text, origin })
    }
}

impl fmt::Display for CollectorUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_has_the_address_that_the_paths_of_signals_are_appended_to() {
        for (text, url) in [
            ("https://Collector.example:4318/", "https://collector.example:4318"),
            ("http://localhost:4318", "http://localhost:4318"),
            ("https://host/otlp/", "https://host/otlp"),
        ] {
            assert_eq!(text.parse::<CollectorUrl>().unwrap().as_str(), url);
        }
        for (text, error) in [
            ("collector:4318", CollectorUrlError::Malformed),
            ("grpc://collector:4317", CollectorUrlError::Malformed),
            ("https://a:b@collector", CollectorUrlError::UserInfo),
            ("https://collector:99999", CollectorUrlError::Port),
            ("https://collector/?key=x", CollectorUrlError::Query),
            ("https://collector/a b", CollectorUrlError::Malformed),
            ("https://collector/v1/traces", CollectorUrlError::Signal),
        ] {
            assert_eq!(text.parse::<CollectorUrl>(), Err(error), "{text}");
        }
        let is_local = |text: &str| text.parse::<CollectorUrl>().unwrap().is_local();
        assert!(is_local("http://127.0.0.1:4318") && is_local("http://[::1]:4318") && is_local("http://localhost"));
        assert!(!is_local("http://collector:4318") && !is_local("http://10.0.0.1"));
    }
}
