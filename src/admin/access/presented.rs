//! What a request presents: a token, or the cookie of a session.

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, COOKIE};

/// The token in `Authorization: Bearer …`. An empty one counts as wrong, and so do two headers.
pub fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let (scheme, token) = all.next()?.to_str().ok()?.trim().split_once(' ').unwrap_or_default();
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    Some(if all.next().is_none() { token.trim() } else { "" })
}

/// The values of the cookies with this name. Another page of the same host may have added one.
pub fn cookies<'h>(headers: &'h HeaderMap, name: &'h str) -> impl Iterator<Item = &'h str> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = all.flat_map(|cookies| cookies.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    pairs.filter(move |(known, _)| *known == name).map(|(_, value)| value).take(MAX_COOKIES)
}

const MAX_COOKIES: usize = 4;

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(name: HeaderName, values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_token_is_read_from_a_single_header() {
        for (values, token) in [
            (&["Bearer abc"][..], Some("abc")),
            (&["bearer  abc "], Some("abc")),
            (&["Bearer"], None),
            (&["Basic abc"], None),
            (&["Bearer abc", "Bearer def"], Some("")),
            (&["\u{e4}"], None),
            (&[], None),
        ] {
            let values: Vec<&'static str> = values.iter().copied().filter(|value| value.is_ascii()).collect();
            assert_eq!(bearer_token(&headers(AUTHORIZATION, &values)), token, "{values:?}");
        }
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let headers = headers(COOKIE, &["a=1; session=one", "session=two;b=2; xsession=3; session"]);
        assert_eq!(cookies(&headers, "session").collect::<Vec<_>>(), ["one", "two"]);
    }
}
