//! Types that are written as a single text.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use hyper::header::HeaderValue;
use ipnet::IpNet;
use serde_json::json;
use time::macros::format_description;

use super::headers::ChangeableHeader;
use crate::business_central::{CompanyRef, EnvironmentName, Surface};
use crate::config::model::{
    ByteSize, CollectorUrl, Count, HostName, Rate, RoutePath, Share, StoreUrl, Weight, duration,
};
use crate::config::shape::{Form, Shape, text_at};
use crate::config::yaml::{Node, Report};
use crate::entra::{ClientId, TenantId};
use crate::outbound::{HttpsUrl, Origin, OriginError, ProxyAddress, split_exception};
use crate::secret::SecretName;

/// Text that is not empty, such as an argument of a command.
#[derive(Debug, Clone)]
pub struct Text(pub String);

/// The name of a connector in a route.
#[derive(Debug, Clone)]
pub struct ConnectorName(pub String);

/// The name of an environment variable: letters, digits and underscores, without a digit first.
#[derive(Debug, Clone)]
pub struct VariableName(pub String);

/// The scope of a token request: one resource, ending in `/.default`.
#[derive(Debug, Clone)]
pub struct Scope(pub String);

/// The beginning of the keys in the shared store.
#[derive(Debug, Clone)]
pub struct KeyPrefix(pub String);

/// What is reached without an outbound proxy: a host, a domain, an address, a network, or `*` for all of them.
#[derive(Debug)]
pub struct Exception(pub String);

/// Why text is not of one of these types. The message says how to write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScalarError {
    #[error("write a value between the quotation marks, or remove the key")]
    Empty,
    #[error("write an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080; a host name is not possible")]
    Address,
    #[error("write a network such as 10.0.0.0/8 or fd00::/8, or a single address such as 192.168.1.20")]
    Network,
    #[error(
        "name the variable that holds the secret, such as BC_CLIENT_SECRET (letters, digits and underscores); \
         never write the secret itself in this file"
    )]
    Variable,
    #[error("write a day as year, month and day, such as 2027-05-01")]
    Day,
    #[error(
        "write a host such as gateway.contoso.local, a domain such as contoso.local, or a network such as 10.0.0.0/8; \
         no http://, no port"
    )]
    Exception,
    #[error("write the value in one line of ASCII characters")]
    HeaderValue,
    #[error("write 1 to 64 letters, digits, dots, colons, hyphens or underscores, such as bcproxy:contoso")]
    KeyPrefix,
    #[error("write one resource followed by /.default, such as https://api.businesscentral.dynamics.com/.default")]
    Scope,
    #[error("write the address by which clients reach bcproxy, such as http://erp-gw:8080")]
    PublicUrl,
    #[error("remove the user name and password")]
    UserInfo,
    #[error("the port must be a number from 1 to 65535")]
    Port,
    #[error("remove everything after host and port: that is the path of a route")]
    Path,
}

/// Reads text. `what` completes the message "this is not …".
fn scalar<T, E: Display>(
    node: &Node,
    report: &mut Report,
    what: &str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Option<T> {
    let text = text_at(node, what, report)?;
    match parse(text) {
        Ok(value) => Some(value),
        Err(reason) => {
            report.error(node.span, format!("this is not {what}"), reason.to_string());
            None
        }
    }
}

/// Declares types that are written as text: what they are called in messages, how they are parsed, and their JSON
/// Schema in addition to `"type": "string"`. The name of a function at the end is called for each value.
macro_rules! scalars {
    ($($type:ty: $what:literal, $parse:expr, $schema:tt $(, $then:ident)?;)+) => {
        $(impl Shape for $type {
            fn form() -> Form {
                Form::Text { what: $what, schema: json!($schema) }
            }

            fn read(node: &Node, report: &mut Report) -> Option<Self> {
                let value = scalar(node, report, $what, $parse);
                $($then(node, value.is_some(), report);)?
                value
            }
        })+
    };
}

scalars! {
    Text: "a text", |text| non_empty(text).map(Self), { "minLength": 1 };
    ConnectorName: "the name of a connector", |text| non_empty(text).map(Self), { "minLength": 1 };
    HeaderValue: "a header's value", header_value, { "type": ["string", "number", "boolean"] }, mask_if_invalid;
    ProxyAddress: "an address of the form http://host:port", str::parse::<ProxyAddress>,
        { "pattern": "^http://[^/?#@]+/?$", "examples": ["http://proxy.contoso.local:3128"] }, mask_if_invalid;
    Exception: "a host, a domain or a network", exception,
        { "pattern": "^[^ ,/]+(/[0-9]+)?$", "examples": ["gateway.contoso.local", "10.0.0.0/8"] };
    SocketAddr: "an IP address with a port", |text| text.parse().map_err(|_| ScalarError::Address),
        { "pattern": "^(\\d+\\.\\d+\\.\\d+\\.\\d+|\\[[0-9A-Fa-f:.%]+\\]):\\d+$", "examples": ["127.0.0.1:8080"] };
    IpNet: "a network", network, { "examples": ["10.0.0.0/8", "192.168.1.20"] };
    time::Date: "a day", day, { "format": "date", "examples": ["2027-05-01"] };
    Duration: "a duration", duration::parse, { "pattern": (duration::PATTERN), "examples": ["10s", "1h30m"] };
    ByteSize: "a size", str::parse::<ByteSize>, { "pattern": (ByteSize::PATTERN), "examples": ["256MiB", "4GiB"] };
    Share: "a percentage", str::parse::<Share>, { "pattern": (Share::PATTERN), "examples": ["1%", "0.5%"] };
    Count: "a number", str::parse::<Count>, { "type": ["integer", "string"], "minimum": 1, "maximum": (Count::MAX) };
    Weight: "a weight", str::parse::<Weight>, { "type": ["integer", "string"], "minimum": 1, "maximum": (Weight::MAX) };
    Rate: "a number of requests in a time", str::parse::<Rate>,
        { "pattern": "^[0-9]+ +per +([0-9]+(ms|s|m|h))+$", "examples": ["6000 per 5m"] };
    TenantId: "a directory (tenant) ID", str::parse::<TenantId>, { "examples": ["contoso.onmicrosoft.com"] };
    ClientId: "an application (client) ID", str::parse::<ClientId>, { "format": "uuid" };
    CollectorUrl: "an http or https address", str::parse::<CollectorUrl>,
        { "pattern": "^https?://[^?#@]+$", "examples": ["https://collector.example:4318"] }, mask_if_invalid;
    StoreUrl: "a redis or rediss address", str::parse::<StoreUrl>,
        { "pattern": "^rediss?://[^/?#@]+(/[0-9]*)?$", "examples": ["rediss://redis.example:6379"] }, mask_if_invalid;
    KeyPrefix: "a prefix of keys", key_prefix, { "pattern": "^[A-Za-z0-9.:_-]{1,64}$" };
    HttpsUrl: "an https address", str::parse::<HttpsUrl>, { "pattern": "^https://[^?#@]+$" };
    Scope: "a scope", scope, { "pattern": "^[^ ]+/\\.default$" };
    VariableName: "the name of an environment variable", variable, { "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" };
    Surface: "a surface of Business Central", str::parse::<Surface>,
        { "pattern": "^(api/[^/]+(/[^/]+/[^/]+)?|odata|soap|nav|environment)$",
          "examples": ["api/v2.0", "odata", "soap", "nav", "environment"] };
    Origin: "an http or https address", public_url, { "pattern": "^https?://[^/?#@]+/?$" };
    SecretName: "the name of a stored secret", str::parse::<SecretName>,
        { "pattern": "^[A-Za-z0-9_-]([A-Za-z0-9._-]*[A-Za-z0-9_-])?$", "maxLength": 64, "examples": ["client-secret"] },
        mask_if_invalid;
    HostName: "a host name", str::parse::<HostName>,
        { "pattern": "^[A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)*[.]?$", "maxLength": 254, "examples": ["oldserver"] };
    ChangeableHeader: "the name of a header that can be changed", str::parse::<ChangeableHeader>,
        { "pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$" };
    RoutePath: "a route's path", str::parse::<RoutePath>, { "pattern": "^/([A-Za-z0-9._~-]+/?)*$" };
    EnvironmentName: "the name of an environment", str::parse,
        { "pattern": "^[A-Za-z][A-Za-z0-9_-]*$", "maxLength": 29 }, warn_of_truncated_name;
    CompanyRef: "the name or id of a company", str::parse,
        { "type": ["string", "number", "boolean"], "minLength": 1, "maxLength": 38 }, warn_of_truncated_name;
}

/// A path is relative to the folder of the file.
impl Shape for PathBuf {
    fn form() -> Form {
        Form::Text { what: "a path", schema: json!({ "minLength": 1 }) }
    }

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        scalar(node, report, "a path", non_empty).map(|path| report.path(&path))
    }
}

fn non_empty(text: &str) -> Result<String, ScalarError> {
    if text.is_empty() { Err(ScalarError::Empty) } else { Ok(text.to_owned()) }
}

fn day(text: &str) -> Result<time::Date, ScalarError> {
    time::Date::parse(text, format_description!("[year]-[month]-[day]")).map_err(|_| ScalarError::Day)
}

fn network(text: &str) -> Result<IpNet, ScalarError> {
    let single = || IpAddr::from_str(text).map(IpNet::from);
    text.parse().or_else(|_| single()).map_err(|_| ScalarError::Network)
}

fn header_value(text: &str) -> Result<HeaderValue, ScalarError> {
    // The two sides may decode bytes beyond ASCII differently.
    HeaderValue::from_str(text).ok().filter(|_| text.is_ascii()).ok_or(ScalarError::HeaderValue)
}

fn exception(text: &str) -> Result<Exception, ScalarError> {
    let is_name = |text: &str| text.strip_prefix('.').unwrap_or(text).parse::<HostName>().is_ok();
    let (host, _) = split_exception(text);
    let is_one = network(host).is_ok() || is_name(host) || text == "*";
    if is_one { Ok(Exception(text.to_owned())) } else { Err(ScalarError::Exception) }
}

fn variable(text: &str) -> Result<VariableName, ScalarError> {
    let starts_well = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if starts_well && is_plain { Ok(VariableName(text.to_owned())) } else { Err(ScalarError::Variable) }
}

fn key_prefix(text: &str) -> Result<KeyPrefix, ScalarError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".:_-".contains(&byte);
    let is_one = (1..=64).contains(&text.len()) && text.bytes().all(is_plain);
    if is_one { Ok(KeyPrefix(text.to_owned())) } else { Err(ScalarError::KeyPrefix) }
}

fn scope(text: &str) -> Result<Scope, ScalarError> {
    let is_one =
        !text.contains(char::is_whitespace) && text.strip_suffix("/.default").is_some_and(|name| !name.is_empty());
    if is_one { Ok(Scope(text.to_owned())) } else { Err(ScalarError::Scope) }
}

fn public_url(text: &str) -> Result<Origin, ScalarError> {
    let (origin, rest) = Origin::split(text).map_err(|error| match error {
        OriginError::Malformed | OriginError::OtherScheme => ScalarError::PublicUrl,
        OriginError::UserInfo => ScalarError::UserInfo,
        OriginError::Port => ScalarError::Port,
    })?;
    if matches!(rest, "" | "/") { Ok(origin) } else { Err(ScalarError::Path) }
}

/// An invalid value may hold a password.
fn mask_if_invalid(node: &Node, is_valid: bool, report: &mut Report) {
    if node.text().is_some() && !is_valid {
        report.mask(node.span);
    }
}

/// YAML reads `company: CRONUS #1` as `CRONUS`, which its author probably did not intend.
fn warn_of_truncated_name(node: &Node, _is_valid: bool, report: &mut Report) {
    if node.text().is_some()
        && let Some(comment) = report.comment_cut_from(node)
    {
        report.warning(
            comment,
            "the name ends before this `#`, which starts a comment in YAML",
            "put the whole name in quotes if the `#` is part of it: \"… #…\"; otherwise add a space after the `#`",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_may_be_a_single_address() {
        assert_eq!(network("::1").unwrap().to_string(), "::1/128");
        assert_eq!(network("10.0.0.0/8").unwrap().to_string(), "10.0.0.0/8");
        for wrong in ["", "10.0.0.0/33", "localhost", "10.0.0"] {
            assert_eq!(network(wrong), Err(ScalarError::Network), "{wrong}");
        }
    }

    #[test]
    fn a_day_is_one_of_the_calendar() {
        assert_eq!(day("2028-02-29").unwrap(), time::macros::date!(2028 - 02 - 29));
        for wrong in ["", "2027-02-29", "2027-5-1", "01.05.2027", "2027-05-01T00:00:00Z"] {
            assert_eq!(day(wrong), Err(ScalarError::Day), "{wrong}");
        }
    }

    #[test]
    fn a_variable_has_a_plain_name_and_a_scope_one_resource() {
        assert!(variable("BC_CLIENT_SECRET").is_ok());
        for wrong in ["", "1A", "abc8Q~x", "A B", "A-B", "${A}", "%A%"] {
            assert!(variable(wrong).is_err(), "{wrong}");
        }
        assert!(scope("https://x/.default").is_ok());
        for wrong in ["", "/.default", "https://x", "https://x/.default openid", "a b/.default"] {
            assert!(scope(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_public_url_ends_after_host_and_port() {
        for (text, url) in [
            ("http://erp-gw:8080", "http://erp-gw:8080"),
            ("https://bc.example/", "https://bc.example"),
            ("http://[::1]:80", "http://[::1]"),
            ("https://bc.example:443", "https://bc.example"),
        ] {
            assert_eq!(public_url(text).unwrap().to_string(), url);
        }
        for (text, error) in [
            ("erp-gw", ScalarError::PublicUrl),
            ("erp-gw:8080", ScalarError::PublicUrl),
            ("ftp://erp-gw", ScalarError::PublicUrl),
            ("http://erp-gw:99999", ScalarError::Port),
            ("http://a@erp-gw", ScalarError::UserInfo),
            ("http://erp-gw/bc", ScalarError::Path),
            ("http://erp-gw?a", ScalarError::Path),
            ("http://erp-gw#a", ScalarError::Path),
        ] {
            assert_eq!(public_url(text), Err(error), "{text}");
        }
    }
}
