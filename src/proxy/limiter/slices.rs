//! Requests that have ended, gathered in slices by the time of their end.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::config::Rate;

/// Requests that have ended and count against a rate, the oldest first.
#[derive(Debug, Default)]
pub struct Slices {
    slices: VecDeque<Slice>,
    /// Requests in all slices together.
    count: usize,
}

/// Requests that ended shortly after each other. They expire together, with the last of them.
#[derive(Debug)]
pub struct Slice {
    first: Instant,
    /// When the last of them ended.
    pub last: Instant,
    /// How many they are.
    pub count: usize,
}

impl Slice {
    /// When they no longer count.
    pub fn expires(&self, rate: Rate) -> Instant {
        self.last + rate.per + SLACK
    }
}

impl Slices {
    /// Adds a request that ends now. Whether it has begun a new slice.
    pub fn add(&mut self, now: Instant, rate: Rate) -> bool {
        self.count += 1;
        match self.slices.back_mut() {
            Some(slice) if now < slice.first + rate.per / SLICES => {
                slice.last = now;
                slice.count += 1;
                false
            }
            _ => {
                self.slices.push_back(Slice { first: now, last: now, count: 1 });
                true
            }
        }
    }

    /// Removes the slices that no longer count. Whether there was one.
    pub fn expire(&mut self, now: Instant, rate: Rate) -> bool {
        let mut has_expired = false;
        while let Some(oldest) = self.slices.front().filter(|slice| slice.expires(rate) <= now) {
            self.count -= oldest.count;
            self.slices.pop_front();
            has_expired = true;
        }
        has_expired
    }

    /// The requests in all slices together.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The slices, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Slice> {
        self.slices.iter()
    }
}

/// How long after its permit's release a canceled request can still reach Business Central: the time on the network,
/// with a packet sent twice.
pub const SLACK: Duration = Duration::from_millis(500);

/// With the default of 5 minutes, requests that expire together were released within 0.6 s.
const SLICES: u32 = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn their_memory_does_not_grow_with_what_they_count() {
        let (start, many) = (Instant::now(), Rate { count: 1_000_000, per: Duration::from_secs(300) });
        let mut slices = Slices::default();
        let mut most = 0;
        for number in 0..100_000 {
            let now = start + Duration::from_millis(number * 10);
            slices.expire(now, many);
            slices.add(now, many);
            most = most.max(slices.slices.len());
        }
        assert!(most < 600, "{most}");
        assert!((30_000..31_000).contains(&slices.count()), "{}", slices.count());
    }
}
