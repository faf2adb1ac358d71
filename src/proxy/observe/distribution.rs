//! A fine histogram of durations that is added to without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Durations since the start, counted in buckets whose bounds are 19 to 25 % apart.
#[derive(Debug)]
pub struct Distribution([AtomicU64; BUCKETS]);

/// The counts of a distribution at one moment, or what was added between two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durations([u64; BUCKETS]);

impl Default for Distribution {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; BUCKETS])
    }
}

impl Distribution {
    /// Counts a duration. One above 19 hours counts as that.
    pub(super) fn add(&self, took: Duration) {
        if let Some(bucket) = self.0.get(bucket_of(took).min(BUCKETS - 1)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What was counted so far.
    pub fn durations(&self) -> Durations {
        Durations(std::array::from_fn(|index| self.0.get(index).map_or(0, |count| count.load(Ordering::Relaxed))))
    }
}

impl Durations {
    /// What was added since `before`, an earlier state of the same distribution.
    pub fn since(&self, before: &Self) -> Self {
        let mut added = self.clone();
        for (count, before) in added.0.iter_mut().zip(before.0) {
            *count = count.saturating_sub(before);
        }
        added
    }

    /// The duration that this share of all (from 0 to 1) do not exceed, a tenth more or less. `None` without any.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let all: u64 = self.0.iter().sum();
        let rank = (all as f64 * share).ceil().max(1.0) as u64;
        let mut counted = 0;
        let index = self.0.iter().position(|count| {
            counted += count;
            counted >= rank
        });
        index.filter(|_| all > 0).map(middle_of)
    }
}

/// Powers of two in microseconds, each in four parts. Shorter ones than four microseconds have a bucket each.
fn bucket_of(took: Duration) -> usize {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let Some(octave) = micros.checked_ilog2().filter(|octave| *octave >= PART_BITS) else { return micros as usize };
    let part = (micros >> (octave - PART_BITS)) as usize - PARTS;
    (octave - PART_BITS + 1) as usize * PARTS + part
}

fn middle_of(index: usize) -> Duration {
    let (octave, part) = (index / PARTS, index % PARTS);
    let micros = match octave.checked_sub(1) {
        None => part as f64,
        Some(shift) => (PARTS as f64 + part as f64 + 0.5) * f64::from(1_u32 << shift.min(31)),
    };
    Duration::from_secs_f64(micros / 1e6)
}

const PART_BITS: u32 = 2;
const PARTS: usize = 1 << PART_BITS;
const BUCKETS: usize = PARTS * 35;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_within_an_eighth_of_the_duration() {
        for micros in [0, 1, 3, 4, 5, 7, 8, 100, 12_345, 999_999, 8_123_456, 3_600_000_000] {
            let distribution = Distribution::default();
            distribution.add(Duration::from_micros(micros));
            let shown = distribution.durations().quantile(0.5).unwrap().as_secs_f64() * 1e6;
            assert!((shown - micros as f64).abs() <= micros as f64 / 8.0 + 0.5, "{micros} {shown}");
        }
        let longest = Distribution::default();
        longest.add(Duration::MAX);
        assert!(longest.durations().quantile(1.0).is_some());
    }

    #[test]
    fn quantiles_are_of_what_was_added_since() {
        let distribution = Distribution::default();
        (0..100).for_each(|_| distribution.add(Duration::from_secs(9)));
        let before = distribution.durations();
        assert_eq!(before.since(&before).quantile(0.5), None);
        (0..95).for_each(|_| distribution.add(Duration::from_millis(10)));
        (0..5).for_each(|_| distribution.add(Duration::from_secs(2)));
        let added = distribution.durations().since(&before);
        let within = |share, least, most| {
            let quantile = added.quantile(share).unwrap().as_millis();
            assert!((least..=most).contains(&quantile), "{share}: {quantile} ms");
        };
        within(0.5, 9, 11);
        within(0.95, 9, 11);
        within(0.96, 1_750, 2_250);
    }
}
