//! How often an event is reported: a thousand connectors without a network must not fill the Event Log.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::guide::{Event, Repeat};

/// What was reported within the last hour.
#[derive(Debug, Default)]
pub struct FloodLimit {
    /// By event: the beginning of its hour, and how many were reported since then.
    counts: HashMap<Event, (Instant, u32)>,
    /// When an hourly event was reported for this subject.
    reported: HashMap<(Event, String), Instant>,
}

/// Whether an event is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// It is.
    Granted,
    /// It is, as the last one of this hour with its id.
    Last,
    /// It isn't.
    Denied,
}

impl FloodLimit {
    /// Counts an event about `subject`, if it may be reported.
    pub fn check(&mut self, event: Event, subject: &str, now: Instant) -> Permission {
        self.reported.retain(|_, at| now.saturating_duration_since(*at) < HOUR);
        let key = (event, subject.to_owned());
        if event.repeat() == Repeat::Hourly && self.reported.contains_key(&key) {
            return Permission::Denied;
        }
        let (since, count) = self.counts.entry(event).or_insert((now, 0));
        if now.saturating_duration_since(*since) >= HOUR {
            (*since, *count) = (now, 0);
        }
        if *count >= MAX_PER_HOUR {
            return Permission::Denied;
        }
        *count += 1;
        let is_last = *count == MAX_PER_HOUR;
        if event.repeat() == Repeat::Hourly {
            self.reported.insert(key, now);
        }
        if is_last { Permission::Last } else { Permission::Granted }
    }
}

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Events with the same id.
const MAX_PER_HOUR: u32 = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hourly_event_is_reported_once_for_each_subject() {
        let (mut limit, start) = (FloodLimit::default(), Instant::now());
        let mut check = |subject, minutes| limit.check(Event::LimiterPaused, subject, start + minutes * MINUTE);
        assert_eq!(check("a", 0), Permission::Granted);
        assert_eq!(check("b", 1), Permission::Granted);
        assert_eq!([check("a", 59), check("b", 60)], [Permission::Denied; 2]);
        assert_eq!([check("a", 60), check("b", 61)], [Permission::Granted; 2]);
    }

    #[test]
    fn each_change_is_reported_until_there_are_too_many() {
        let (mut limit, start) = (FloodLimit::default(), Instant::now());
        let mut check = |event, seconds| limit.check(event, "", start + seconds * SECOND);
        for second in 1..MAX_PER_HOUR {
            assert_eq!(check(Event::ConnectorReady, second), Permission::Granted);
        }
        assert_eq!(check(Event::ConnectorReady, 100), Permission::Last);
        assert_eq!(check(Event::ConnectorReady, 3600), Permission::Denied);
        assert_eq!(check(Event::ConnectorNotReady, 3600), Permission::Granted, "it has a bound of its own");
        assert_eq!(check(Event::ConnectorReady, 3601), Permission::Granted);
    }

    const SECOND: Duration = Duration::from_secs(1);
    const MINUTE: Duration = Duration::from_secs(60);
}
