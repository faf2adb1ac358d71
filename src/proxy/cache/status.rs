//! What a client is told about the cache: `Cache-Status` (RFC 9211) and `Age` (RFC 9111, section 5.1).

use std::time::Duration;

use hyper::header::{AGE, HeaderMap, HeaderName, HeaderValue};

use crate::proxy::observe::cache_counts::CacheCounts;

/// What a route's cache did for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheUse {
    /// It was answered from the store.
    Hit { age: Duration, ttl: Duration },
    /// It shares the response of another request that was in flight.
    Coalesced,
    /// It was sent, because none was stored or the client asked for a fresh one (`is_requested`). Others may share its
    /// response, which is stored for this long, if at all.
    Miss { is_requested: bool, cached: Option<Duration> },
    /// It was sent for this client only.
    Bypass(Bypass),
}

/// Why a response is for one client only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bypass {
    /// The method is not GET.
    Method,
    /// The client asked for it (`no-store`).
    Requested,
    /// It is a range request.
    Range,
    /// It requests a media file.
    Media,
    /// It has a body, whatever that may mean.
    Body,
    /// The company's data is being changed at this moment.
    Change,
    /// It is unknown whether other replicas change the company's data: the shared store or a replica is away.
    SharedStore,
    /// The response is too large, or meant for one client.
    Response,
}

impl CacheUse {
    /// The value of the log field.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hit { .. } => "hit",
            Self::Coalesced => "coalesced",
            Self::Miss { .. } => "miss",
            Self::Bypass(_) => "bypass",
        }
    }

    /// Counts it.
    pub fn count_in(self, counts: &mut CacheCounts) {
        let count = match self {
            Self::Hit { .. } => &mut counts.hits,
            Self::Coalesced => &mut counts.coalesced,
            Self::Miss { .. } => &mut counts.misses,
            Self::Bypass(_) => &mut counts.bypassed,
        };
        *count += 1;
    }

    /// Adds `Cache-Status` and `Age`.
    pub fn add_to(self, headers: &mut HeaderMap) {
        if let Self::Hit { age, .. } = self {
            headers.insert(AGE, HeaderValue::from(age.as_secs()));
        }
        if let Ok(status) = HeaderValue::try_from(self.status()) {
            headers.append(CACHE_STATUS, status);
        }
    }

    fn status(self) -> String {
        let forwarded = match self {
            Self::Hit { ttl, .. } => return format!("bcproxy; hit; ttl={}", ttl.as_secs()),
            Self::Coalesced => "miss; collapsed".to_owned(),
            Self::Miss { is_requested, cached } => {
                let why = if is_requested { "request" } else { "miss" };
                cached.map_or_else(|| why.to_owned(), |cached| format!("{why}; stored; ttl={}", cached.as_secs()))
            }
            Self::Bypass(why) => why.describe().0.to_owned(),
        };
        format!("bcproxy; fwd={forwarded}")
    }
}

impl Bypass {
    /// The value of `fwd` (RFC 9211, section 2.2), and the reason in words to follow "because".
    pub fn describe(self) -> (&'static str, &'static str) {
        match self {
            Self::Method => ("method", "it is not a GET"),
            Self::Requested => ("request", "it says Cache-Control: no-store"),
            Self::Range => ("bypass; detail=range", "it requests only a part (Range)"),
            Self::Media => ("bypass; detail=media", "it requests a media file"),
            Self::Body => ("bypass; detail=body", "it has a body"),
            Self::Change => ("bypass; detail=change", "the company's data is being changed"),
            Self::SharedStore => ("bypass; detail=shared-store", "other replicas may change data unseen"),
            Self::Response => ("bypass; detail=response", "the response is too large or meant for one client"),
        }
    }
}

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_use_has_its_status() {
        let second = Duration::from_millis(1500);
        for (cache_use, status, log) in [
            (CacheUse::Hit { age: second, ttl: second }, "bcproxy; hit; ttl=1", "hit"),
            (CacheUse::Coalesced, "bcproxy; fwd=miss; collapsed", "coalesced"),
            (CacheUse::Miss { is_requested: false, cached: Some(second) }, "bcproxy; fwd=miss; stored; ttl=1", "miss"),
            (CacheUse::Miss { is_requested: true, cached: None }, "bcproxy; fwd=request", "miss"),
            (CacheUse::Bypass(Bypass::Method), "bcproxy; fwd=method", "bypass"),
            (CacheUse::Bypass(Bypass::Range), "bcproxy; fwd=bypass; detail=range", "bypass"),
        ] {
            let mut headers = HeaderMap::from_iter([(CACHE_STATUS, HeaderValue::from_static("gateway; hit"))]);
            cache_use.add_to(&mut headers);
            let mut counts = CacheCounts::default();
            cache_use.count_in(&mut counts);
            let CacheCounts { hits, coalesced, misses, bypassed } = counts;
            let by_result = [("hit", hits), ("coalesced", coalesced), ("miss", misses), ("bypass", bypassed)];
            assert!(by_result.iter().all(|(result, count)| (*count == 1) == (*result == log)), "{log}: {counts:?}");
            let all: Vec<_> = headers.get_all(CACHE_STATUS).iter().collect();
            assert_eq!(all, ["gateway; hit", status]);
            assert_eq!((cache_use.as_str(), headers.contains_key(AGE)), (log, log == "hit"));
        }
    }
}
