//! Which attempts are followed by another one: reads, and writes that were certainly not carried out.

use std::time::Duration;

use hyper::StatusCode;

use crate::business_central::lookup::LookupError;

/// When another attempt is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Business Central throttles: the limiter is paused for this time. `None`: Business Central did not say how long.
    AfterPause(Option<Duration>),
    /// Something failed on the way: after a moment, as long as the retry budget lasts.
    AfterBackOff,
}

/// What decides about a response.
#[derive(Debug, Clone, Copy)]
pub struct Answered<'a> {
    /// Its status.
    pub status: StatusCode,
    /// `Retry-After`.
    pub retry_after: Option<Duration>,
    /// `error.code` of the body, where it was read.
    pub code: Option<&'a str>,
}

/// Whether a request with this response is retried.
///
/// Never after 408 and 504: Business Central may still be working on it. After 503 a write is retried only where the
/// error's code says that it never began.
pub fn after_response(only_reads: bool, answered: Answered<'_>) -> Option<Retry> {
    let Answered { status, retry_after, code } = answered;
    let not_begun = status == StatusCode::SERVICE_UNAVAILABLE
        && retry_after.is_some()
        && code.is_some_and(|code| NOT_EXECUTED.contains(&code));
    match status {
        StatusCode::TOO_MANY_REQUESTS => Some(Retry::AfterPause(retry_after)),
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE if only_reads || not_begun => {
            Some(retry_after.map_or(Retry::AfterBackOff, |pause| Retry::AfterPause(Some(pause))))
        }
        _ => None,
    }
}

/// Whether one of our own look-ups is repeated after this error. They only read.
pub fn after_look_up(error: &LookupError) -> Option<Retry> {
    match error {
        // A gateway that gave up on a small question: unlike a client's, it may be asked again.
        LookupError::Rejected { status: StatusCode::GATEWAY_TIMEOUT, .. }
        | LookupError::Interrupted { .. }
        | LookupError::Unreachable(_) => Some(Retry::AfterBackOff),
        LookupError::Rejected { status, retry_after, code, .. } => {
            let (status, retry_after) = (*status, *retry_after);
            after_response(true, Answered { status, retry_after, code: code.as_deref() })
        }
        LookupError::TimedOut { .. } | LookupError::Unreadable { .. } => None,
    }
}

/// Back-off with full jitter: anything between nothing and a bound that doubles with each attempt.
pub fn back_off(attempt: u32) -> Duration {
    let bound = MIN_BACK_OFF.saturating_mul(1 << attempt.min(10)).min(MAX_BACK_OFF);
    bound.mul_f64(fastrand::f64())
}

/// How long to pause when Business Central throttles and does not say how long.
pub fn throttle_pause(attempt: u32) -> Duration {
    let bound = MIN_PAUSE.saturating_mul(1 << attempt.min(10)).min(MAX_PAUSE);
    bound.mul_f64(0.5 + fastrand::f64() / 2.0)
}

/// Retries after faults of one request.
pub const MAX_RETRIES: u32 = 3;

/// `error.code` of 503 responses whose request never began.
const NOT_EXECUTED: [&str; 1] = ["Application_TooManyRequests"];

const MIN_BACK_OFF: Duration = Duration::from_millis(100);
const MAX_BACK_OFF: Duration = Duration::from_secs(5);

const MIN_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_retried_only_when_it_never_began() {
        let answered_with = |status: u16, retry_after: Option<u64>, code| Answered {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: retry_after.map(Duration::from_secs),
            code,
        };
        let pause = |seconds| Some(Retry::AfterPause(Some(Duration::from_secs(seconds))));
        let too_many = Some("Application_TooManyRequests");
        for (status, retry_after, code, read, change) in [
            (200, None, None, None, None),
            (429, Some(3), None, pause(3), pause(3)),
            (429, None, None, Some(Retry::AfterPause(None)), Some(Retry::AfterPause(None))),
            (502, None, None, Some(Retry::AfterBackOff), None),
            (502, Some(3), too_many, pause(3), None),
            (503, None, None, Some(Retry::AfterBackOff), None),
            (503, None, too_many, Some(Retry::AfterBackOff), None),
            (503, Some(3), None, pause(3), None),
            (503, Some(3), Some("Internal_ServerError"), pause(3), None),
            (503, Some(3), too_many, pause(3), pause(3)),
            (408, Some(3), too_many, None, None),
            (504, Some(3), too_many, None, None),
            (500, Some(3), too_many, None, None),
        ] {
            let answered = answered_with(status, retry_after, code);
            assert_eq!(after_response(true, answered), read, "{answered:?}");
            assert_eq!(after_response(false, answered), change, "{answered:?}");
        }
    }
}
