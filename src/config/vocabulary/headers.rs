//! Headers to change, and which headers a route can't change.

use std::collections::HashSet;
use std::str::FromStr;

use hyper::header::{HeaderName, HeaderValue};

use crate::config::shape::{At, Form, Shape, mapping, unique_entries};
use crate::config::yaml::{Node, Report};

mapping! {
    /// Headers to change in requests and responses. bcproxy rejects changes to headers for framing, connections,
    /// authentication, cookies, `Host`, `Company` and method overrides.
    HeaderRulesKeys: "headers section" {
        /// Changes to requests before they go to Business Central.
        request: HeaderChangesKeys = Optional,
        /// Changes to responses before they go to the client.
        response: HeaderChangesKeys = Optional,
    }
}

mapping! {
    /// Headers to change in one direction.
    HeaderChangesKeys: "header changes section" {
        /// Headers to set. Existing values are replaced: `{ Accept-Language: de-DE }`.
        set: HeadersToSet = Optional,
        /// Headers to remove.
        remove: Vec<At<ChangeableHeader>> = Optional,
    }
}

/// The name of a header that a route may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeableHeader(pub HeaderName);

/// The headers to set, in the order of the file.
#[derive(Debug)]
pub struct HeadersToSet(pub Vec<(HeaderName, HeaderValue)>);

/// Why a route cannot change a header. The message says what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderNameError {
    #[error("write a header name of letters, digits and `-`, such as Accept-Language")]
    NotAName,
    #[error("remove this header: bcproxy frames and compresses bodies itself")]
    Framing,
    #[error("remove this header: it applies to one connection only and is never forwarded")]
    HopByHop,
    #[error("set `base_url` at the connector instead: it determines the host")]
    Host,
    #[error("remove this header: bcproxy signs in with the connector's application")]
    Authentication,
    #[error("remove this header: cookies are not forwarded in either direction")]
    Cookie,
    #[error("set `company` at the connector or route instead: this header could select another company")]
    Company,
    #[error("remove this header: it could bypass the route's `methods`")]
    Method,
}

impl FromStr for ChangeableHeader {
    type Err = HeaderNameError;

    fn from_str(text: &str) -> Result<Self, HeaderNameError> {
        let name: HeaderName = text.parse().map_err(|_| HeaderNameError::NotAName)?;
        // Servers that know headers as variables read `_` and `-` alike.
        let error = match name.as_str().replace('_', "-").as_str() {
            "content-length" | "content-encoding" | "content-range" | "transfer-encoding" | "accept-encoding"
            | "accept-ranges" | "range" | "expect" => HeaderNameError::Framing,
            "connection" | "keep-alive" | "te" | "trailer" | "upgrade" | "http2-settings" => HeaderNameError::HopByHop,
            "host" | "forwarded" => HeaderNameError::Host,
            "authorization" | "www-authenticate" | "authentication-info" => HeaderNameError::Authentication,
            name if name.starts_with("proxy-") => HeaderNameError::Authentication,
            "cookie" | "cookie2" | "set-cookie" | "set-cookie2" => HeaderNameError::Cookie,
            "company" => HeaderNameError::Company,
            "method" | "x-http-method" | "x-http-method-override" | "x-method-override" => HeaderNameError::Method,
            _ => return Ok(Self(name)),
        };
        Err(error)
    }
}

impl Shape for HeadersToSet {
    fn form() -> Form {
        Form::Named { name: "HEADER", item: Box::new(HeaderValue::form()) }
    }

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        let mut seen = HashSet::new();
        let mut headers = Vec::new();
        for (key, value) in unique_entries(node, report)? {
            let Some(ChangeableHeader(name)) = ChangeableHeader::read(key, report) else {
                // The value of an authentication header is a secret.
                report.mask(value.span);
                continue;
            };
            if !seen.insert(name.clone()) {
                report.error(key.span, "this header is already set with different letter case", "keep one of the two");
            }
            headers.extend(HeaderValue::read(value, report).map(|value| (name, value)));
        }
        Some(Self(headers))
    }
}
