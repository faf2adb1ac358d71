//! What may be sent again: what only reads, and what was certainly not carried out.

use std::time::Duration;

use hyper::StatusCode;

use super::fault::Fault;

/// Why a request is sent again, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// Business Central has enough for now: nobody of this gate bothers it before that time is over. `None`: it did not say how long.
    AfterPause(Option<Duration>),
    /// Something failed on the way: after a moment, as long as the budget lasts.
    AfterBackOff,
}

/// What is known of an answer when it is judged.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    pub status: StatusCode,
    pub retry_after: Option<Duration>,
    /// `error.code` of the body, where it was read.
    pub code: Option<&'a str>,
}

/// Whether a request with this answer is sent again.
///
/// 408 and 504 never: Business Central may still be at it. A change's 503 only where the error's code says that it never began.
pub fn after_answer(only_reads: bool, answer: Answer<'_>) -> Option<Again> {
    let not_begun = answer.code.is_some_and(|code| NOT_BEGUN.contains(&code));
    match answer.status {
        StatusCode::TOO_MANY_REQUESTS => Some(Again::AfterPause(answer.retry_after)),
        StatusCode::SERVICE_UNAVAILABLE if only_reads || (answer.retry_after.is_some() && not_begun) => {
            Some(answer.retry_after.map_or(Again::AfterBackOff, |pause| Again::AfterPause(Some(pause))))
        }
        StatusCode::BAD_GATEWAY if only_reads => {
            Some(answer.retry_after.map_or(Again::AfterBackOff, |pause| Again::AfterPause(Some(pause))))
        }
        _ => None,
    }
}

/// Whether a request that got no answer is sent again.
pub fn after_fault(only_reads: impl FnOnce() -> bool, fault: &Fault) -> Option<Again> {
    let may = match fault {
        Fault::Unreachable(_) | Fault::Unsent(_) => true,
        Fault::Broken(_) | Fault::CutShort(_) => only_reads(),
        Fault::TimedOut(_) | Fault::ClientGone | Fault::BodyBroken => false,
    };
    may.then_some(Again::AfterBackOff)
}

/// Full jitter: anything between nothing and a bound that doubles with each attempt.
pub fn back_off(attempt: u32) -> Duration {
    let bound = FIRST_BACK_OFF.saturating_mul(1 << attempt.min(10)).min(LONGEST_BACK_OFF);
    bound.mul_f64(fastrand::f64())
}

/// How long to pause when Business Central does not say how long.
pub fn pause(attempt: u32) -> Duration {
    let bound = SHORTEST_PAUSE.saturating_mul(1 << attempt.min(10)).min(LONGEST_PAUSE);
    bound.mul_f64(0.5 + fastrand::f64() / 2.0)
}

/// Sent again so often because something failed, and no more.
pub const MOST_FAILURES: u32 = 3;

/// The codes of 503 answers whose request never began.
const NOT_BEGUN: [&str; 1] = ["Application_TooManyRequests"];

const FIRST_BACK_OFF: Duration = Duration::from_millis(100);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(5);

const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_sent_again_only_when_it_never_began() {
        let answer = |status: u16, retry_after: Option<u64>, code| Answer {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: retry_after.map(Duration::from_secs),
            code,
        };
        let pause = |seconds| Some(Again::AfterPause(Some(Duration::from_secs(seconds))));
        let too_many = Some("Application_TooManyRequests");
        for (status, retry_after, code, read, change) in [
            (200, None, None, None, None),
            (429, Some(3), None, pause(3), pause(3)),
            (429, None, None, Some(Again::AfterPause(None)), Some(Again::AfterPause(None))),
            (502, None, None, Some(Again::AfterBackOff), None),
            (502, Some(3), too_many, pause(3), None),
            (503, None, None, Some(Again::AfterBackOff), None),
            (503, None, too_many, Some(Again::AfterBackOff), None),
            (503, Some(3), None, pause(3), None),
            (503, Some(3), Some("Internal_ServerError"), pause(3), None),
            (503, Some(3), too_many, pause(3), pause(3)),
            (408, Some(3), too_many, None, None),
            (504, Some(3), too_many, None, None),
            (500, Some(3), too_many, None, None),
        ] {
            let answer = answer(status, retry_after, code);
            assert_eq!(after_answer(true, answer), read, "{answer:?}");
            assert_eq!(after_answer(false, answer), change, "{answer:?}");
        }
    }
}
