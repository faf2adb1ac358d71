//! On which terms a request and an answer are shared: what of each forbids it.

use std::time::Duration;

use hyper::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, PRAGMA,
    RANGE, SET_COOKIE, VARY,
};
use hyper::{Method, StatusCode};

use super::key::is_beside_the_point;
use super::status::Alone;

/// The largest answer that is shared, in bytes as Business Central sends it: compressed, for the most part.
pub const LARGEST: usize = 1024 * 1024;

/// What a client wants of a cache (RFC 9111, section 5.2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wishes {
    /// An answer older than that is none; with nothing at all it has to be a new one.
    pub max_age: Option<Duration>,
    /// The versions it has, as it wrote them.
    known: Vec<HeaderValue>,
}

impl Wishes {
    /// Takes the versions out of the headers: Business Central is asked for the whole answer, which others can use.
    pub fn take_from(headers: &mut HeaderMap) -> Self {
        let (max_age, known) = (max_age(headers), headers.get_all(IF_NONE_MATCH).iter().cloned().collect());
        headers.remove(IF_NONE_MATCH);
        Self { max_age, known }
    }

    /// Whether an answer of this age will do.
    pub fn take(&self, age: Duration) -> bool {
        self.max_age.is_none_or(|oldest| !oldest.is_zero() && age <= oldest)
    }

    /// Whether it has to be asked anew.
    pub fn are_for_a_new_one(&self) -> bool {
        self.max_age == Some(Duration::ZERO)
    }

    /// Whether the client has this answer already (RFC 9110, section 13.1.2).
    pub fn know(&self, answer: &HeaderMap) -> bool {
        let Some(version) = answer.get(ETAG).and_then(|version| versions(version.as_bytes()).next()) else {
            return false;
        };
        self.known.iter().any(|known| known == "*" || versions(known.as_bytes()).any(|known| known == version))
    }
}

/// Why a request that only reads goes to Business Central without others sharing its answer, as far as it shows itself.
pub fn forbidden(method: &Method, headers: &HeaderMap, is_media: bool, has_body: bool) -> Option<Alone> {
    match () {
        () if *method != Method::GET => Some(Alone::Method),
        () if directives(headers, CACHE_CONTROL).any(|it| it.eq_ignore_ascii_case("no-store")) => Some(Alone::Wish),
        () if headers.contains_key(RANGE) => Some(Alone::Range),
        () if is_media => Some(Alone::Media),
        () if has_body => Some(Alone::Body),
        () => None,
    }
}

/// Whether an answer with this head may be given to others who ask the same at the same time.
pub fn may_be_shared(answer: &HeaderMap) -> bool {
    let cookies = answer.get_all(SET_COOKIE);
    let is_for_one = answer.contains_key(CONTENT_RANGE) || !cookies.iter().all(chooses_a_server_only);
    let is_no_store = directives(answer, CACHE_CONTROL).any(|it| it.eq_ignore_ascii_case("no-store"));
    // What it varies by has to be in its key.
    let mut varies = directives(answer, VARY);
    let is_by_more =
        varies.any(|name| name == "*" || name.parse().is_ok_and(|name: HeaderName| is_beside_the_point(&name)));
    let length = answer.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    !(is_for_one || is_no_store || is_by_more || length.is_some_and(|length| length > LARGEST))
}

/// Whether it may be given to those who ask later, too.
pub fn may_be_kept(status: StatusCode) -> bool {
    status == StatusCode::OK
}

/// Whether a cookie comes from a load balancer, which says by it where to go next and nothing about the answer.
fn chooses_a_server_only(cookie: &HeaderValue) -> bool {
    let name = cookie.as_bytes().split(|&byte| byte == b'=').next().unwrap_or_default().trim_ascii();
    AFFINITIES.iter().any(|known| known.as_bytes() == name)
}

fn max_age(headers: &HeaderMap) -> Option<Duration> {
    if !headers.contains_key(CACHE_CONTROL) {
        // What HTTP/1.0 knew.
        return directives(headers, PRAGMA).any(|it| it.eq_ignore_ascii_case("no-cache")).then_some(Duration::ZERO);
    }
    let ages = directives(headers, CACHE_CONTROL).filter_map(|directive| {
        if directive.eq_ignore_ascii_case("no-cache") {
            return Some(Duration::ZERO);
        }
        let (name, seconds) = directive.split_once('=')?;
        let seconds = || seconds.trim().trim_matches('"').parse().ok();
        // One that can't be read is taken for the strictest.
        name.trim().eq_ignore_ascii_case("max-age").then(|| Duration::from_secs(seconds().unwrap_or(0)))
    });
    ages.min()
}

/// The members of a list; what is no text is left out.
fn directives(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// The texts between the quotes of one or more versions, weak ones and others: for `If-None-Match` they are the same.
fn versions(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|&byte| byte == b'"').skip(1).step_by(2)
}

/// The cookies of Azure's load balancers. Of others is not known what they say.
const AFFINITIES: [&str; 6] = [
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
    fn a_client_may_want_a_new_answer_or_a_young_one() {
        for (lines, seconds) in [
            (&[][..], None),
            (&[("cache-control", "max-age=3")], Some(3)),
            (&[("cache-control", "MAX-AGE=\"3\", max-age=2")], Some(2)),
            (&[("cache-control", "max-age=0")], Some(0)),
            (&[("cache-control", "max-age=x")], Some(0)),
            (&[("cache-control", "max-age=9"), ("cache-control", "No-Cache")], Some(0)),
            (&[("cache-control", "min-fresh=9, only-if-cached")], None),
            (&[("pragma", "no-cache")], Some(0)),
            // Whoever speaks of HTTP/1.1 means that.
            (&[("pragma", "no-cache"), ("cache-control", "max-age=5")], Some(5)),
        ] {
            let wishes = Wishes::take_from(&mut headers(lines));
            assert_eq!(wishes.max_age, seconds.map(Duration::from_secs), "{lines:?}");
            assert_eq!(wishes.are_for_a_new_one(), seconds == Some(0), "{lines:?}");
        }
    }

    #[test]
    fn a_version_is_compared_weakly() {
        let answer = headers(&[("etag", "W/\"JzQ0,O=='\"")]);
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
            assert_eq!(Wishes::take_from(&mut asked).know(&answer), knows, "{known}");
            assert!(asked.is_empty());
        }
        let any = Wishes::take_from(&mut headers(&[("if-none-match", "*")]));
        assert!(!any.know(&headers(&[])) && !any.know(&headers(&[("etag", "JzQ0")])));
        assert!(!Wishes::take_from(&mut headers(&[])).know(&answer));
    }

    #[test]
    fn what_is_meant_for_one_is_not_shared() {
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
            may_be_kept(StatusCode::OK) && !may_be_kept(StatusCode::NOT_FOUND) && !may_be_kept(StatusCode::NO_CONTENT)
        );
    }

    #[test]
    fn only_whole_gets_are_shared() {
        let none = headers(&[]);
        assert_eq!(forbidden(&Method::GET, &none, false, false), None);
        assert_eq!(forbidden(&Method::HEAD, &none, false, false), Some(Alone::Method));
        assert_eq!(forbidden(&Method::GET, &none, true, false), Some(Alone::Media));
        assert_eq!(forbidden(&Method::GET, &none, false, true), Some(Alone::Body));
        assert_eq!(forbidden(&Method::GET, &headers(&[("range", "bytes=0-1")]), false, false), Some(Alone::Range));
        let no_store = headers(&[("cache-control", "max-age=5, no-store")]);
        assert_eq!(forbidden(&Method::GET, &no_store, false, false), Some(Alone::Wish));
    }
}
