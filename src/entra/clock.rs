//! How far this machine's clock is from Entra's: what is signed is good for minutes, and a wrong clock makes it worthless.

use std::fmt;
use std::time::{Duration, SystemTime};

use hyper::header::{DATE, HeaderMap};

/// A clock that is wrong enough to be worth a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockSkew {
    pub by: Duration,
    pub is_ahead: bool,
}

impl ClockSkew {
    /// Compares `now` with the `Date` of an answer; `None` when they agree, give or take the time an answer may travel.
    pub fn of(answer: &HeaderMap, now: SystemTime) -> Option<Self> {
        let theirs = date_of(answer)?;
        let (by, is_ahead) = match now.duration_since(theirs) {
            Ok(ahead) => (ahead, true),
            Err(behind) => (behind.duration(), false),
        };
        (by >= WORTH_A_WORD).then_some(Self { by, is_ahead })
    }
}

/// When an answer was made, by the clock of whoever made it (RFC 9110, section 6.6.1).
pub fn date_of(answer: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(answer.get(DATE)?.to_str().ok()?).ok()
}

impl fmt::Display for ClockSkew {
    /// A sentence without its full stop.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.is_ahead { "ahead of" } else { "behind" };
        let minutes = self.by.as_secs() / 60;
        write!(f, "this machine's clock is {minutes} min {direction} Entra's: set it (time service, NTP)")
    }
}

/// Entra itself forgives five minutes.
const WORTH_A_WORD: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn minutes_are_named_and_seconds_are_not() {
        let now = SystemTime::now();
        let skew = |date: SystemTime| {
            let date = HeaderValue::from_str(&httpdate::fmt_http_date(date)).unwrap();
            ClockSkew::of(&HeaderMap::from_iter([(DATE, date)]), now).map(|skew| skew.to_string())
        };
        assert_eq!(skew(now - Duration::from_secs(60)), None);
        let ahead = "this machine's clock is 10 min ahead of Entra's: set it (time service, NTP)";
        assert_eq!(skew(now - Duration::from_secs(600)).as_deref(), Some(ahead));
        assert!(skew(now + Duration::from_secs(630)).unwrap().contains("10 min behind"));
        assert_eq!(ClockSkew::of(&HeaderMap::new(), now), None);
    }
}
