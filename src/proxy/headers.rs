//! Headers across the proxy: what ends at this hop, what must not cross it, what is added.

use hyper::Method;
use hyper::header::{
    ACCEPT_ENCODING, ALT_SVC, CONNECTION, HeaderMap, HeaderName, HeaderValue, IF_MATCH, PROXY_AUTHENTICATE, RANGE,
    SET_COOKIE, STRICT_TRANSPORT_SECURITY, VIA, WWW_AUTHENTICATE,
};
use uuid::Uuid;

use super::methods::OVERRIDES;
use crate::business_central::CLIENT_REQUEST_ID;
use crate::business_central::address::Resource;
use crate::config;

/// The headers that Business Central gets on this route; only the token is missing. `methods`: all that the request
/// counts as.
pub fn towards_business_central(
    headers: HeaderMap,
    method: &Method,
    methods: &[Method],
    resource: &Resource,
    route: &config::Route,
    id: &HeaderValue,
) -> HeaderMap {
    let changes = methods.iter().any(|method| METHODS_WITH_VERSION.contains(&method.as_str()));
    // Only a POST to an OData service can stand for another method (MS-ODATA, section 2.2.5.8).
    let may_override = !resource.is_soap() && method == Method::POST;
    let mut headers = fit_for_business_central(headers, may_override, id);
    route.headers.request.apply(&mut headers);
    if route.if_match_any && changes && !headers.contains_key(IF_MATCH) {
        headers.insert(IF_MATCH, HeaderValue::from_static("*"));
    }
    headers
}

/// The client's headers as Business Central may see them.
///
/// `Content-Length` is not: the body that is sent determines it.
fn fit_for_business_central(mut headers: HeaderMap, may_override: bool, id: &HeaderValue) -> HeaderMap {
    remove_all(&mut headers, |name| stays_here(name) || !may_override && OVERRIDES.contains(&name));
    // A WAN lies before Business Central: compression is requested even for clients without it. Parts of a body can't
    // be decoded.
    let coding = if headers.contains_key(RANGE) { "identity" } else { "gzip" };
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(coding));
    headers.append(VIA, HeaderValue::from_static("1.1 bcproxy"));
    headers.entry(CLIENT_REQUEST_ID).or_insert_with(|| id.clone());
    headers
}

/// Whether a client's header of this name, in lower case, is never sent on, neither with its request nor in a batch.
pub fn stays_here(name: &str) -> bool {
    let is_version_before_4 = ODATA_V3_VERSIONS.iter().any(|known| known == name);
    is_own(name) || is_version_before_4 || is_hop_by_hop(name) || is_proxys(name)
}

/// Whether a client says it to bcproxy, or bcproxy says it itself. A PHP library sends its method as `Method`.
fn is_own(name: &str) -> bool {
    matches!(
        name,
        "host"
            | "expect"
            | "content-length"
            | "authorization"
            | "cookie"
            | "forwarded"
            | "proxy-authorization"
            | "method"
    )
}

/// Whether it ends at this hop (RFC 9110, section 7.6.1).
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "keep-alive"
            | "proxy-connection"
            | "http2-settings"
    )
}

/// Whether only proxies may send a header of this name: it tells the server which address, host or client they saw.
///
/// Servers that know headers as variables read `_` and `-` alike, so a name with `_` may be another one in disguise.
fn is_proxys(name: &str) -> bool {
    const PREFIXES: [&str; 3] = ["x-forwarded-", "x-original-", "proxy-"];
    const NAMES: [&str; 6] =
        ["x-rewrite-url", "x-host", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip"];
    PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || NAMES.contains(&name) || name.contains('_')
}

/// Removes what a client must not see of Business Central's headers.
pub fn towards_client(headers: &mut HeaderMap) {
    remove_all(headers, |name| is_hop_by_hop(name) || HIDDEN_FROM_CLIENTS.iter().any(|hidden| hidden == name));
}

/// Removes what no longer holds for a body that was changed on its way.
pub fn of_changed_body(headers: &mut HeaderMap) {
    let is_about_body = |name: &str| {
        matches!(
            name,
            "content-length" | "content-encoding" | "accept-ranges" | "content-md5" | "digest" | "content-digest"
        )
    };
    remove_each(headers, is_about_body);
}

/// Whether the client accepts gzip. Old clients send words of their own, such as `none`, which mean no (RFC 9110,
/// section 12.5.3).
pub fn accepts_gzip(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    codings.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let is_rejected = weight.split_once('=').is_some_and(|(_, weight)| weight.trim().parse() == Ok(0.0_f32));
        ["gzip", "x-gzip"].iter().any(|known| name.trim().eq_ignore_ascii_case(known)) && !is_rejected
    })
}

/// The members of a list header (RFC 9110, section 5.6.1).
pub fn members<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h [u8]> + use<'h> {
    let values = headers.get_all(name).into_iter().map(HeaderValue::as_bytes);
    values.flat_map(|value| value.split(|&byte| byte == b',')).map(<[u8]>::trim_ascii)
}

/// A GUID as a header value.
pub fn header_of(id: Uuid) -> HeaderValue {
    let mut buffer = Uuid::encode_buffer();
    let text = id.hyphenated().encode_lower(&mut buffer);
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("-"))
}

/// Removes the headers that these names belong to, and those that `Connection` lists (RFC 9110, section 7.6.1).
fn remove_all(headers: &mut HeaderMap, is_removed: impl Fn(&str) -> bool) {
    let listed: Vec<HeaderName> =
        members(headers, &CONNECTION).filter_map(|name| HeaderName::from_bytes(name).ok()).collect();
    for name in listed {
        headers.remove(name);
    }
    remove_each(headers, is_removed);
}

/// Removes the headers that these names belong to. One walk over the few that are there costs less than a look-up of
/// each name.
fn remove_each(headers: &mut HeaderMap, is_removed: impl Fn(&str) -> bool) {
    let removed: Vec<HeaderName> = headers.keys().filter(|name| is_removed(name.as_str())).cloned().collect();
    for name in removed {
        headers.remove(name);
    }
}

/// Cookies belong to sessions that nobody keeps. A challenge would make old clients start a handshake. The last two
/// would lead a browser or a
/// modern library past this proxy.
pub const HIDDEN_FROM_CLIENTS: [HeaderName; 5] =
    [SET_COOKIE, WWW_AUTHENTICATE, PROXY_AUTHENTICATE, ALT_SVC, STRICT_TRANSPORT_SECURITY];

/// Headers that name an OData version before 4.
pub const ODATA_V3_VERSIONS: [HeaderName; 2] =
    [HeaderName::from_static("dataserviceversion"), HeaderName::from_static("maxdataserviceversion")];

/// Methods that change something existing, and so must say which version of it they mean.
const METHODS_WITH_VERSION: [&str; 4] = ["PATCH", "PUT", "MERGE", "DELETE"];

/// Carries the id of a request to the client.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Says what bcproxy did with a request (RFC 9209).
pub const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// Selects the company of a batched request (BC, "Use OData batch").
pub const COMPANY: HeaderName = HeaderName::from_static("company");

/// The action of a SOAP call (SOAP 1.1, section 6.1.1).
pub const SOAP_ACTION: HeaderName = HeaderName::from_static("soapaction");

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect::<Vec<(HeaderName, HeaderValue)>>()
            .into_iter()
            .fold(HeaderMap::new(), |mut map, (name, value)| {
                map.append(name, value);
                map
            })
    }

    #[test]
    fn what_belongs_to_the_client_stays_here() {
        let sent = fit_for_business_central(
            headers(&[
                ("host", "erp-gw:8080"),
                ("authorization", "NTLM abc"),
                ("cookie", "a=b"),
                ("forwarded", "for=1.2.3.4"),
                ("x-forwarded-for", "1.2.3.4"),
                ("x-forwarded-host", "x"),
                ("proxy-authorization", "Basic x"),
                ("proxy-foo", "x"),
                ("connection", "Upgrade, HTTP2-Settings"),
                ("connection", "x-mine"),
                ("upgrade", "h2c"),
                ("http2-settings", "AAM"),
                ("x-mine", "1"),
                ("te", "trailers"),
                ("expect", "100-continue"),
                ("content-length", "3"),
                ("method", "POST"),
                ("x-original-url", "/other"),
                ("x-rewrite-url", "/other"),
                ("x-host", "x"),
                ("x-real-ip", "10.0.0.1"),
                ("true-client-ip", "10.0.0.1"),
                ("x_original_url", "/other"),
                ("transfer_encoding", "chunked"),
                ("soapaction", "\"urn:x\""),
                ("if-match", "W/\"JzQ0\""),
            ]),
            false,
            &header_of(Uuid::nil()),
        );
        let mut names: Vec<&str> = sent.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept-encoding", "client-request-id", "if-match", "soapaction", "via"]);
        assert_eq!(sent["soapaction"], "\"urn:x\"");
        assert_eq!(sent["client-request-id"], "00000000-0000-0000-0000-000000000000");
    }

    #[test]
    fn gzip_is_what_the_client_names_so() {
        for (value, accepts) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("x-gzip", true),
            ("gzip;q=0", false),
            ("gzip; q=0.0", false),
            ("none", false),
            ("identity", false),
            ("", false),
        ] {
            assert_eq!(accepts_gzip(&headers(&[("accept-encoding", value)])), accepts, "{value}");
        }
        let sent = fit_for_business_central(headers(&[("accept-encoding", "none")]), false, &header_of(Uuid::nil()));
        assert_eq!(sent["accept-encoding"], "gzip");
        let sent = fit_for_business_central(headers(&[("range", "bytes=0-1")]), false, &header_of(Uuid::nil()));
        assert_eq!(sent["accept-encoding"], "identity");
    }

    #[test]
    fn a_clients_own_request_id_is_kept() {
        let sent = fit_for_business_central(headers(&[("client-request-id", "mine")]), false, &header_of(Uuid::nil()));
        assert_eq!(sent["client-request-id"], "mine");
    }

    #[test]
    fn what_would_lead_a_client_astray_is_dropped() {
        let mut response = headers(&[
            ("set-cookie", "a=b"),
            ("www-authenticate", "Bearer"),
            ("alt-svc", "h3=\":443\""),
            ("strict-transport-security", "max-age=1"),
            ("connection", "close"),
            ("etag", "W/\"x\""),
        ]);
        towards_client(&mut response);
        assert_eq!(response.len(), 1);
        assert_eq!(response["etag"], "W/\"x\"");
    }
}
