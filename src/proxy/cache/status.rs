//! What a client is told of the cache: `Cache-Status` (RFC 9211) and `Age` (RFC 9111, section 5.1).

use std::time::Duration;

use hyper::header::{AGE, HeaderMap, HeaderName, HeaderValue};

/// What a route's cache did for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheUse {
    /// It was answered with what was kept.
    Hit { age: Duration, left: Duration },
    /// It shares the answer to another request, which was under way already.
    Coalesced,
    /// It went to Business Central, others may share its answer, and it is kept for so long, if at all.
    Asked { why: Asked, kept: Option<Duration> },
    /// It went to Business Central for itself.
    Alone(Alone),
}

/// Why an answer had to be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// There was none.
    Missing,
    /// There may have been one, and the client wants a new one.
    Wish,
}

/// Why a request's answer is for itself only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alone {
    /// It is no GET.
    Method,
    /// The client wants it so (`no-store`).
    Wish,
    /// It asks for a part.
    Range,
    /// It asks for a file that somebody stored.
    Media,
    /// It has a body, whatever that may mean.
    Body,
    /// The company's data changes at this moment.
    Change,
    /// The answer is too large, or is meant for one.
    Answer,
}

impl CacheUse {
    /// The word in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hit { .. } => "hit",
            Self::Coalesced => "coalesced",
            Self::Asked { .. } => "miss",
            Self::Alone(_) => "bypass",
        }
    }

    /// Tells it to the client.
    pub fn tell(self, headers: &mut HeaderMap) {
        if let Self::Hit { age, .. } = self {
            headers.insert(AGE, HeaderValue::from(age.as_secs()));
        }
        if let Ok(status) = HeaderValue::try_from(self.status()) {
            headers.append(CACHE_STATUS, status);
        }
    }

    fn status(self) -> String {
        let forwarded = match self {
            Self::Hit { left, .. } => return format!("bcproxy; hit; ttl={}", left.as_secs()),
            Self::Coalesced => "miss; collapsed".to_owned(),
            Self::Asked { why, kept } => {
                let why = match why {
                    Asked::Missing => "miss",
                    Asked::Wish => "request",
                };
                kept.map_or_else(|| why.to_owned(), |kept| format!("{why}; stored; ttl={}", kept.as_secs()))
            }
            Self::Alone(Alone::Method) => "method".to_owned(),
            Self::Alone(Alone::Wish) => "request".to_owned(),
            Self::Alone(why) => format!("bypass; detail={}", why.detail()),
        };
        format!("bcproxy; fwd={forwarded}")
    }
}

impl Alone {
    fn detail(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Wish => "no-store",
            Self::Range => "range",
            Self::Media => "media",
            Self::Body => "body",
            Self::Change => "change",
            Self::Answer => "answer",
        }
    }

    /// In words, to follow "because".
    pub fn reason(self) -> &'static str {
        match self {
            Self::Method => "it is no GET",
            Self::Wish => "it says Cache-Control: no-store",
            Self::Range => "it asks for a part only (Range)",
            Self::Media => "it asks for a stored file",
            Self::Body => "it has a body",
            Self::Change => "the company's data is being changed",
            Self::Answer => "the answer is too large or meant for one program",
        }
    }
}

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_use_has_its_words() {
        let second = Duration::from_millis(1500);
        for (use_, status, log) in [
            (CacheUse::Hit { age: second, left: second }, "bcproxy; hit; ttl=1", "hit"),
            (CacheUse::Coalesced, "bcproxy; fwd=miss; collapsed", "coalesced"),
            (CacheUse::Asked { why: Asked::Missing, kept: Some(second) }, "bcproxy; fwd=miss; stored; ttl=1", "miss"),
            (CacheUse::Asked { why: Asked::Wish, kept: None }, "bcproxy; fwd=request", "miss"),
            (CacheUse::Alone(Alone::Method), "bcproxy; fwd=method", "bypass"),
            (CacheUse::Alone(Alone::Range), "bcproxy; fwd=bypass; detail=range", "bypass"),
        ] {
            let mut headers = HeaderMap::from_iter([(CACHE_STATUS, HeaderValue::from_static("gateway; hit"))]);
            use_.tell(&mut headers);
            let all: Vec<_> = headers.get_all(CACHE_STATUS).iter().collect();
            assert_eq!(all, ["gateway; hit", status]);
            assert_eq!((use_.as_str(), headers.contains_key(AGE)), (log, log == "hit"));
        }
    }
}
