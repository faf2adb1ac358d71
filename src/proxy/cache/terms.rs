//! What may be shared and stored: what in a request or a response forbids it.

use std::time::Duration;

use hyper::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, PRAGMA,
    RANGE, SET_COOKIE, VARY,
};
use hyper::{Method, StatusCode};

use super::key::is_ignored;
use super::status::Bypass;

/// The largest response that is shared, in bytes as Business Central sends it, which is mostly compressed.
pub const MAX_BYTES: usize = 1024 * 1024;

/// What a client asks of a cache (RFC 9111, section 5.2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientDirectives {
    /// The greatest acceptable age; zero asks for a fresh response.
    pub max_age: Option<Duration>,
    /// The versions it has, as it wrote them.
    known: Vec<HeaderValue>,
}

impl ClientDirectives {
    /// Removes the versions from the headers: Business Central is asked for the whole response, which others can use.
    pub fn take_from(headers: &mut HeaderMap) -> Self {
        let (max_age, known) = (max_age(headers), headers.get_all(IF_NONE_MATCH).iter().cloned().collect());
        headers.remove(IF_NONE_MATCH);
        Self { max_age, known }
    }

    /// Whether a response of this age is acceptable.
    pub fn accept_age(&self, age: Duration) -> bool {
        self.max_age.is_none_or(|oldest| !oldest.is_zero() && age <= oldest)
    }

    /// Whether a fresh response is required.
    pub fn require_revalidation(&self) -> bool {
        self.max_age == Some(Duration::ZERO)
    }

    /// Whether the client has this response already (RFC 9110, section 13.1.2).
    pub fn has_version_of(&self, response: &HeaderMap) -> bool {
        let Some(version) = response.get(ETAG).and_then(|version| versions(version.as_bytes()).next()) else {
            return false;
        };
        self.known.iter().any(|known| known == "*" || versions(known.as_bytes()).any(|known| known == version))
    }
}

/// Why a read is sent for its own client only, as far as the request shows.
pub fn bypass_reason(method: &Method, headers: &HeaderMap, is_media: bool, has_body: bool) -> Option<Bypass> {
    match () {
        () if *method != Method::GET => Some(Bypass::Method),
        () if directives(headers, CACHE_CONTROL).any(|it| it.eq_ignore_ascii_case("no-store")) => {
            Some(Bypass::Requested)
        }
        () if headers.contains_key(RANGE) => Some(Bypass::Range),
        () if is_media => Some(Bypass::Media),
        () if has_body => Some(Bypass::Body),
        () => None,
    }
}

/// Whether a response with this head may be given to clients that ask the same at the same time.
pub fn may_be_shared(response: &HeaderMap) -> bool {
    let cookies = response.get_all(SET_COOKIE);
    let is_for_one = response.contains_key(CONTENT_RANGE) || !cookies.iter().all(is_affinity_cookie);
    let is_no_store = directives(response, CACHE_CONTROL).any(|it| it.eq_ignore_ascii_case("no-store"));
    // A header it varies by has to be part of the key.
    let mut varies = directives(response, VARY);
    let is_by_more = varies.any(|name| name == "*" || name.parse().is_ok_and(|name: HeaderName| is_ignored(&name)));
    let length = response.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    !(is_for_one || is_no_store || is_by_more || length.is_some_and(|length| length > MAX_BYTES))
}

/// Whether it may be stored for later requests, too.
pub fn may_be_stored(status: StatusCode) -> bool {
    status == StatusCode::OK
}

/// Whether a cookie comes from a load balancer: it only routes the next request and says nothing about the response.
fn is_affinity_cookie(cookie: &HeaderValue) -> bool {
    let name = cookie.as_bytes().split(|&byte| byte == b'=').next().unwrap_or_default().trim_ascii();
    AFFINITY_COOKIES.iter().any(|known| known.as_bytes() == name)
}

fn max_age(headers: &HeaderMap) -> Option<Duration> {
    if !headers.contains_key(CACHE_CONTROL) {
        // The directive of HTTP/1.0.
        return directives(headers, PRAGMA).any(|it| it.eq_ignore_ascii_case("no-cache")).then_some(Duration::ZERO);
    }
    let ages = directives(headers, CACHE_CONTROL).filter_map(|directive| {
        if directive.eq_ignore_ascii_case("no-cache") {
            return Some(Duration::ZERO);
        }
        let (name, seconds) = directive.split_once('=')?;
        let seconds = || seconds.trim().trim_matches('"').parse().ok();
        // A value that can't be parsed counts as the strictest.
        name.trim().eq_ignore_ascii_case("max-age").then(|| Duration::from_secs(seconds().unwrap_or(0)))
    });
    ages.min()
}

/// The members of a list header; values that are no text are skipped.
fn directives(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// The texts between the quotes of one or more versions. `If-None-Match` compares weak and strong ones alike.
fn versions(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|&byte| byte == b'"').skip(1).step_by(2)
}

/// The cookies of Azure's load balancers. What other cookies mean is not known.
const AFFINITY_COOKIES: [&str; 6] = [
    "ARRAffinity",
    "ARRAffinitySameSite",
    "ASLBSA",
    "ASLBSACORS",
    "ApplicationGatewayAffinity",
    "ApplicationGatewayAffinityCORS",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn a_client_may_ask_for_a_fresh_or_a_young_response() {
        for (lines, seconds) in [
            (&[][..], None),
            (&[("cache-control", "max-age=3")], Some(3)),
            (&[("cache-control", "MAX-AGE=\"3\", max-age=2")], Some(2)),
            (&[("cache-control", "max-age=0")], Some(0)),
            (&[("cache-control", "max-age=x")], Some(0)),
            (&[("cache-control", "max-age=9"), ("cache-control", "No-Cache")], Some(0)),
            (&[("cache-control", "min-fresh=9, only-if-cached")], None),
            (&[("pragma", "no-cache")], Some(0)),
            // `Cache-Control` takes precedence over `Pragma`.
            (&[("pragma", "no-cache"), ("cache-control", "max-age=5")], Some(5)),
        ] {
            let directives = ClientDirectives::take_from(&mut headers(lines));
            assert_eq!(directives.max_age, seconds.map(Duration::from_secs), "{lines:?}");
            assert_eq!(directives.require_revalidation(), seconds == Some(0), "{lines:?}");
        }
    }

    #[test]
    fn a_version_is_compared_weakly() {
        let response = headers(&[("etag", "W/\"JzQ0,O=='\"")]);
        for (known, knows) in [
            ("W/\"JzQ0,O=='\"", true),
            ("\"JzQ0,O=='\"", true),
            ("\"a\", W/\"JzQ0,O=='\"", true),
            ("*", true),
            ("\"JzQ0\"", false),
            ("JzQ0,O=='", false),
            ("", false),
        ] {
            let mut asked = headers(&[("if-none-match", known)]);
            assert_eq!(ClientDirectives::take_from(&mut asked).has_version_of(&response), knows, "{known}");
            assert!(asked.is_empty());
        }
        let any = ClientDirectives::take_from(&mut headers(&[("if-none-match", "*")]));
        assert!(!any.has_version_of(&headers(&[])) && !any.has_version_of(&headers(&[("etag", "JzQ0")])));
        assert!(!ClientDirectives::take_from(&mut headers(&[])).has_version_of(&response));
    }

    #[test]
    fn a_response_meant_for_one_client_is_not_shared() {
        for (name, value, may) in [
            ("content-type", "application/json", true),
            ("cache-control", "private, no-cache", true),
            ("cache-control", "private, No-Store", false),
            ("set-cookie", "session=b", false),
            ("set-cookie", "ARRAffinity", true),
            ("set-cookie", "ARRAffinity=4a; Path=/; HttpOnly; Secure", true),
            ("set-cookie", "ARRAffinity2=4a", false),
            ("content-range", "bytes 0-1/2", false),
            ("vary", "Accept, Accept-Encoding", true),
            ("vary", "Accept, User-Agent", false),
            ("vary", "*", false),
            ("content-length", "1048576", true),
            ("content-length", "1048577", false),
        ] {
            assert_eq!(may_be_shared(&headers(&[(name, value)])), may, "{name}: {value}");
        }
        assert!(!may_be_shared(&headers(&[("set-cookie", "ARRAffinity=4a"), ("set-cookie", "session=b")])));
        assert!(
            may_be_stored(StatusCode::OK)
                && !may_be_stored(StatusCode::NOT_FOUND)
                && !may_be_stored(StatusCode::NO_CONTENT)
        );
    }

    #[test]
    fn only_whole_gets_are_shared() {
        let none = headers(&[]);
        assert_eq!(bypass_reason(&Method::GET, &none, false, false), None);
        assert_eq!(bypass_reason(&Method::HEAD, &none, false, false), Some(Bypass::Method));
        assert_eq!(bypass_reason(&Method::GET, &none, true, false), Some(Bypass::Media));
        assert_eq!(bypass_reason(&Method::GET, &none, false, true), Some(Bypass::Body));
        assert_eq!(bypass_reason(&Method::GET, &headers(&[("range", "bytes=0-1")]), false, false), Some(Bypass::Range));
        let no_store = headers(&[("cache-control", "max-age=5, no-store")]);
        assert_eq!(bypass_reason(&Method::GET, &no_store, false, false), Some(Bypass::Requested));
    }
}
