//! This machine's clock, compared with Entra's.

use std::time::{Duration, SystemTime};

use super::findings::Wrong;
use crate::guide::Step;

/// How far this machine's clock is off, from a response's date and when its request was sent and answered.
///
/// Dates have whole seconds.
pub fn check(sent_at: SystemTime, received_at: SystemTime, date: SystemTime) -> Result<String, Wrong> {
    let ahead = sent_at.duration_since(date + Duration::from_secs(1)).unwrap_or_default();
    let behind = date.duration_since(received_at).unwrap_or_default();
    let (off, direction) = if ahead > behind { (ahead, "ahead") } else { (behind, "behind") };
    if off > MAX_SKEW {
        let what = format!("this machine's clock is {} {direction}", minutes(off));
        return Err(Wrong::at(Step::Clock, what));
    }
    Ok(if off < Duration::from_secs(2) {
        "correct".to_owned()
    } else {
        format!("{} s {direction}, which does no harm", off.as_secs())
    })
}

fn minutes(time: Duration) -> String {
    let minutes = time.as_secs().div_ceil(60);
    if minutes < 120 { format!("{minutes} minutes") } else { format!("{} hours", minutes.div_ceil(60)) }
}

/// Entra accepts assertions that are at most five minutes off.
const MAX_SKEW: Duration = Duration::from_secs(5 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_off_when_the_date_is_outside_the_exchange() {
        let second = |second: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + second);
        let of = |date| check(second(0), second(20), second(date)).map_err(|wrong| wrong.what);
        assert_eq!(of(10).as_deref(), Ok("correct"));
        assert_eq!(of(60).as_deref(), Ok("40 s behind, which does no harm"));
        assert_eq!(of(7220).unwrap_err(), "this machine's clock is 2 hours behind");
        let ahead = check(second(900), second(901), second(0)).unwrap_err();
        assert_eq!((ahead.step, ahead.what.as_str()), (Step::Clock, "this machine's clock is 15 minutes ahead"));
    }
}
