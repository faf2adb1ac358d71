//! The stages of a request: when each began, and how long it took.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use smallvec::SmallVec;

/// The stages that a request went through so far, in order. A retry adds its own. A token or a permit that was there is
/// no stage.
#[derive(Debug, Default)]
pub struct Stages(Mutex<SmallVec<[Passed; INLINE]>>);

/// A stage that a request went through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed {
    pub stage: Stage,
    /// When it began, counted from the arrival of the request's head.
    pub start: Duration,
    /// How long it took.
    pub took: Duration,
}

/// A stage of a request. What follows the last attempt is the [transfer](Stages::transfer).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Its body was received.
    Receive,
    /// It waited for a token.
    Token,
    /// It was queued by the limiter.
    Queue,
    /// An attempt at Business Central, from sending to the head of the response.
    Attempt(AttemptEnd),
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptEnd {
    /// Business Central answered with this status.
    Answered(StatusCode),
    /// No connection could be made.
    Unreachable,
    /// The connection broke, or the response was of no use.
    Broken,
    /// The response did not come in time.
    TimedOut,
    /// The client left.
    ClientLeft,
}

impl Passed {
    /// When it ended, counted from the arrival of the request's head.
    pub fn end(&self) -> Duration {
        self.start + self.took
    }
}

impl Stages {
    /// Notes a stage that has ended. Beyond [`MAX_NOTED`], it takes the place of the one before it.
    pub fn note(&self, passed: Passed) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.len() >= MAX_NOTED {
            noted.pop();
        }
        noted.push(passed);
    }

    /// All of them, in order.
    pub fn noted(&self) -> Vec<Passed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).to_vec()
    }

    /// Receiving the request's body; `None` if it has none.
    pub fn receive(&self) -> Option<Duration> {
        self.total(|stage| stage == Stage::Receive)
    }

    /// Waiting for a token, before all attempts together; `None` if it was there.
    pub fn token(&self) -> Option<Duration> {
        self.total(|stage| stage == Stage::Token)
    }

    /// At Business Central, from sending to the head of the response, all attempts together.
    pub fn upstream(&self) -> Option<Duration> {
        self.total(|stage| matches!(stage, Stage::Attempt(_)))
    }

    /// The same of the first attempt, if it was answered or failed before it was given up.
    pub fn first_upstream(&self) -> Option<Duration> {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = noted.iter().find(|passed| matches!(passed.stage, Stage::Attempt(_)))?;
        let is_given_up = matches!(first.stage, Stage::Attempt(AttemptEnd::TimedOut | AttemptEnd::ClientLeft));
        (!is_given_up).then_some(first.took)
    }

    /// When the transfer of the response began: with the head of Business Central's. `None` without one.
    pub fn transfer_start(&self) -> Option<Duration> {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = noted.last()?;
        matches!(last.stage, Stage::Attempt(AttemptEnd::Answered(_))).then(|| last.end())
    }

    /// Transferring the response to the client, from the head of Business Central's to its end. `total`: the time of
    /// the whole request.
    pub fn transfer(&self, total: Duration) -> Option<Duration> {
        self.transfer_start().map(|start| total.saturating_sub(start))
    }

    fn total(&self, is_meant: impl Fn(Stage) -> bool) -> Option<Duration> {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let times = noted.iter().filter(|passed| is_meant(passed.stage)).map(|passed| passed.took);
        times.reduce(|sum, took| sum + took)
    }
}

/// The stages of most requests: they are noted without an allocation.
const INLINE: usize = 2;

/// The most stages that are kept of a request.
const MAX_NOTED: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(stage: Stage, start: u64, took: u64) -> Passed {
        Passed { stage, start: Duration::from_millis(start), took: Duration::from_millis(took) }
    }

    fn millis(number: u64) -> Option<Duration> {
        Some(Duration::from_millis(number))
    }

    #[test]
    fn the_times_of_all_attempts_are_added_up() {
        let stages = Stages::default();
        assert_eq!((stages.receive(), stages.token(), stages.first_upstream()), (None, None, None));
        for stage in [
            passed(Stage::Receive, 1, 2),
            passed(Stage::Token, 3, 4),
            passed(Stage::Queue, 7, 10),
            passed(Stage::Attempt(AttemptEnd::Broken), 17, 3),
            passed(Stage::Token, 20, 1),
            passed(Stage::Queue, 21, 5),
            passed(Stage::Attempt(AttemptEnd::Answered(StatusCode::OK)), 26, 100),
        ] {
            stages.note(stage);
        }
        assert_eq!(
            (stages.receive(), stages.token(), stages.total(|stage| stage == Stage::Queue)),
            (millis(2), millis(5), millis(15))
        );
        assert_eq!((stages.upstream(), stages.first_upstream()), (millis(103), millis(3)));
        assert_eq!(stages.transfer(Duration::from_millis(130)), millis(4));
    }

    #[test]
    fn without_a_response_nothing_is_transferred() {
        let stages = Stages::default();
        stages.note(passed(Stage::Attempt(AttemptEnd::TimedOut), 0, 10));
        assert_eq!((stages.upstream(), stages.first_upstream()), (millis(10), None));
        assert_eq!(stages.transfer(Duration::from_millis(10)), None);
    }

    #[test]
    fn a_request_that_is_retried_forever_keeps_a_bounded_number() {
        let stages = Stages::default();
        (0..1000).for_each(|number| stages.note(passed(Stage::Queue, number, 1)));
        let noted = stages.noted();
        assert_eq!(noted.len(), MAX_NOTED);
        assert_eq!(noted.last(), Some(&passed(Stage::Queue, 999, 1)));
    }
}
