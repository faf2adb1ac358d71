//! The error of this machine's clock. Signed assertions are valid for minutes only, so Entra rejects those of a wrong
//! clock.

use std::fmt;
use std::time::{Duration, SystemTime};

use hyper::header::{DATE, HeaderMap};

/// The difference between this machine's clock and Entra's, if it is large enough to report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockSkew {
    /// The size of the difference.
    pub by: Duration,
    /// Whether this machine's clock is ahead.
    pub is_ahead: bool,
}

impl ClockSkew {
    /// Compares `now` with the `Date` of a response; `None` if they differ by less than two minutes.
    pub fn measure(response: &HeaderMap, now: SystemTime) -> Option<Self> {
        let theirs = response_date(response)?;
        let (by, is_ahead) = match now.duration_since(theirs) {
            Ok(ahead) => (ahead, true),
            Err(behind) => (behind.duration(), false),
        };
        (by >= MIN_REPORTED_SKEW).then_some(Self { by, is_ahead })
    }
}

/// The `Date` of a response: its time of creation by the server's clock (RFC 9110, section 6.6.1).
pub fn response_date(headers: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()
}

impl fmt::Display for ClockSkew {
    /// Writes a sentence without its full stop.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.is_ahead { "ahead of" } else { "behind" };
        let minutes = self.by.as_secs() / 60;
        write!(f, "this machine's clock is {minutes} min {direction} Entra's: correct it (time service, NTP)")
    }
}

/// Entra tolerates five minutes.
const MIN_REPORTED_SKEW: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn minutes_are_reported_and_seconds_are_not() {
        let now = SystemTime::now();
        let skew = |date: SystemTime| {
            let date = HeaderValue::from_str(&httpdate::fmt_http_date(date)).unwrap();
            ClockSkew::measure(&HeaderMap::from_iter([(DATE, date)]), now).map(|skew| skew.to_string())
        };
        assert_eq!(skew(now - Duration::from_secs(60)), None);
        let ahead = "this machine's clock is 10 min ahead of Entra's: correct it (time service, NTP)";
        assert_eq!(skew(now - Duration::from_secs(600)).as_deref(), Some(ahead));
        assert!(skew(now + Duration::from_secs(630)).unwrap().contains("10 min behind"));
        assert_eq!(ClockSkew::measure(&HeaderMap::new(), now), None);
    }
}
