//! Times, dates and durations as text.

use std::path::Path;
use std::time::Duration;

use serde::{Serialize, Serializer};
use time::format_description::well_known::Rfc3339;
use time::{Date, OffsetDateTime, Time};

/// A time in RFC 3339, to the second.
pub fn rfc3339(time: OffsetDateTime) -> String {
    time.replace_nanosecond(0).unwrap_or(time).format(&Rfc3339).unwrap_or_default()
}

pub fn serialize_time<S: Serializer>(time: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*time))
}

/// A path, whatever characters it has.
pub fn serialize_path<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

/// A date as in `proxy.yaml`: `2027-05-01`.
pub(super) fn serialize_date<S: Serializer>(date: &Option<Date>, serializer: S) -> Result<S::Ok, S::Error> {
    date.map(|date| date.to_string()).serialize(serializer)
}

/// The end of a day, in UTC.
pub fn end_of_day(day: Date) -> Option<OffsetDateTime> {
    Some(day.next_day()?.with_time(Time::MIDNIGHT).assume_utc())
}

/// A duration in its one or two largest units: `3 d 4 h`, `12 s`.
pub fn in_words(seconds: f64) -> String {
    let seconds = Duration::try_from_secs_f64(seconds).unwrap_or_default().as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match () {
        () if days > 0 => format!("{days} d {} h", hours % 24),
        () if hours > 0 => format!("{hours} h {} min", minutes % 60),
        () if minutes > 0 => format!("{minutes} min"),
        () => format!("{seconds} s"),
    }
}
