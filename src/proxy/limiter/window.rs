//! The sliding window of the rate limit, and the pace at which the second half of it is used.
//!
//! A request counts from its permit until `per` after the permit was released. It reaches Business Central somewhere in
//! between, so no more than `count` arrive there in any `per`, however long each was on its way. A canceled request may
//! arrive after the release: [`SLACK`] covers that.
//!
//! While less than half of `count` is used, nothing is paced. From then on, permits are granted at an interval. It is
//! the shortest one at which permits never run out: those that are free before a slice expires must last until then. So
//! the interval is the longest of time until expiry / permits until then, over all slices. With 3,000 requests at once
//! and 3,000 left for the 300 s until the first ones expire, it is 0.1 s. In steady use, it is `per / count`.

use std::time::Duration;

use tokio::time::Instant;

use super::slices::{SLACK, Slices};
use crate::config::Rate;

/// Requests that count, gathered in slices: a fixed amount of memory however many there are.
#[derive(Debug)]
pub struct Window {
    /// Requests whose permit was released.
    released: Slices,
    /// Permits that are held.
    held: usize,
    /// When the next permit is due, once permits are paced.
    due: Instant,
    /// As long as the slices stay the same.
    spacing: Option<Spacing>,
}

/// How fast permits are granted once half of them are used.
#[derive(Debug, Clone, Copy)]
struct Spacing {
    /// The time between two permits.
    interval: Duration,
    /// The expiry that the permits that are free until then must last for.
    until: Instant,
}

impl Window {
    /// An empty window.
    pub fn new(now: Instant) -> Self {
        Self { released: Slices::default(), held: 0, due: now, spacing: None }
    }

    /// Requests that count.
    pub fn used(&mut self, now: Instant, rate: Rate) -> usize {
        if self.released.expire(now, rate) {
            self.spacing = None;
        }
        self.released.count() + self.held
    }

    /// Permits that are held.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Requests whose permit was released, and that count.
    pub fn released(&self) -> &Slices {
        &self.released
    }

    /// When the next permit can be granted; `None`: now.
    pub fn next(&mut self, now: Instant, rate: Rate) -> Option<Instant> {
        let used = self.used(now, rate);
        let free_at = self.free_at(1, now, rate);
        let due = if is_half_used(used, rate) { self.due } else { now };
        Some(free_at.max(due)).filter(|next| *next > now)
    }

    /// When so many permits can have been granted, were they not paced.
    fn free_at(&self, permits: usize, now: Instant, rate: Rate) -> Instant {
        let mut missing = (self.released.count() + self.held + permits).saturating_sub(rate.count);
        if missing == 0 {
            return now;
        }
        for slice in self.released.iter() {
            missing = missing.saturating_sub(slice.count);
            if missing == 0 {
                return slice.expires(rate);
            }
        }
        // Permits that are held now.
        now + rate.per + SLACK
    }

    /// A time before which the next but `ahead` permits can't have been granted.
    ///
    /// As many must be free. Besides, all of them are granted at the interval, until less than half is used or the
    /// interval becomes shorter.
    pub fn not_before(&mut self, ahead: usize, now: Instant, rate: Rate) -> Instant {
        let used = self.used(now, rate);
        let free_at = self.free_at(ahead + 1, now, rate);
        if !is_half_used(used, rate) {
            return free_at;
        }
        let Spacing { interval, until } = self.spacing(now, rate);
        let half = Rate { count: rate.count.div_ceil(2), ..rate };
        let holds_until = until.min(self.free_at(1, now, half));
        let at_interval = self.due + interval.saturating_mul(u32::try_from(ahead).unwrap_or(u32::MAX));
        // A permit may be granted this early where the ones before it were late.
        let earliest = at_interval.checked_sub(CATCH_UP).unwrap_or(now);
        free_at.max(earliest.min(holds_until))
    }

    /// Computes the pace anew, since the rate has changed.
    pub fn rate_changed(&mut self) {
        self.spacing = None;
    }

    /// Counts a permit that is granted now.
    pub fn grant(&mut self, now: Instant, rate: Rate) {
        if is_half_used(self.used(now, rate), rate) {
            // Permits that nobody could use at their time, because too many were in flight, are granted a little later.
            let latest = now.checked_sub(CATCH_UP).unwrap_or(now);
            self.due = self.due.max(latest) + self.spacing(now, rate).interval;
        }
        self.held += 1;
    }

    /// Counts a permit that is released now.
    pub fn release(&mut self, now: Instant, rate: Rate) {
        self.held -= 1;
        self.count_ended(now, rate);
    }

    /// Counts a request that has ended.
    fn count_ended(&mut self, now: Instant, rate: Rate) {
        if self.released.add(now, rate) {
            self.spacing = None;
        }
    }

    /// The pace. It is computed once for each slice that comes or goes.
    fn spacing(&mut self, now: Instant, rate: Rate) -> Spacing {
        let Self { released, held, .. } = &*self;
        let compute = || {
            let mut free = rate.count.saturating_sub(released.count() + held).max(1);
            let until_expiry = released.iter().map(|slice| {
                let until = slice.expires(rate);
                let permits = u32::try_from(free).unwrap_or(u32::MAX);
                free += slice.count;
                Spacing { interval: until.saturating_duration_since(now) / permits, until }
            });
            let slowest = until_expiry.max_by_key(|spacing| spacing.interval);
            slowest.unwrap_or(Spacing { interval: Duration::ZERO, until: now })
        };
        let spacing = self.spacing.unwrap_or_else(compute);
        self.spacing = Some(spacing);
        spacing
    }
}

/// What replicas need besides, for the model of the shared window.
#[cfg(test)]
impl Window {
    /// When the next permit but `ahead` can be granted.
    pub fn next_after(&mut self, ahead: u32, now: Instant, rate: Rate) -> Instant {
        let used = self.used(now, rate);
        let free_at = self.free_at(ahead as usize + 1, now, rate);
        if !is_half_used(used, rate) {
            return free_at;
        }
        let due = self.due.max(now - CATCH_UP);
        free_at.max(due + self.spacing(now, rate).interval * ahead)
    }

    /// Counts a permit that is held again.
    pub fn hold(&mut self) {
        self.held += 1;
    }

    /// Counts a request of which nothing was known.
    pub fn end_unknown(&mut self, now: Instant, rate: Rate) {
        self.count_ended(now, rate);
    }
}

fn is_half_used(used: usize, rate: Rate) -> bool {
    used >= rate.count.div_ceil(2)
}

/// How far permits may fall behind their pace and still be granted.
const CATCH_UP: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { count: 10, per: Duration::from_secs(300) };

    fn pass(window: &mut Window, now: Instant) {
        assert_eq!(window.next(now, RATE), None);
        window.grant(now, RATE);
        window.release(now, RATE);
    }

    #[test]
    fn a_permit_is_granted_when_enough_earlier_requests_have_expired() {
        let start = Instant::now();
        let mut window = Window::new(start);
        let at = |millis| start + Duration::from_millis(millis);
        let mut now = start;
        for second in 0..10 {
            now = window.next(at(second * 1000).max(now), RATE).unwrap_or(at(second * 1000));
            pass(&mut window, now);
        }
        assert_eq!(window.next(now, RATE), Some(at(300_500)));
        let less = Rate { count: 8, ..RATE };
        assert_eq!(window.next(now, less), Some(at(302_500)), "another connector allows less");
        assert_eq!(window.next(at(300_499), RATE), Some(at(300_500)));
        assert_eq!(window.next(at(300_500), RATE), None);
    }

    #[test]
    fn a_request_counts_from_its_permit_until_a_period_after_its_release() {
        let start = Instant::now();
        let mut window = Window::new(start);
        window.grant(start, RATE);
        let much_later = start + 3 * RATE.per;
        assert_eq!(window.used(much_later, RATE), 1);
        window.release(much_later, RATE);
        assert_eq!(window.used(much_later + RATE.per, RATE), 1);
        assert_eq!(window.used(much_later + RATE.per + SLACK, RATE), 0);
    }

    #[test]
    fn half_is_free_at_once_and_the_rest_lasts_until_the_first_expire() {
        let start = Instant::now();
        let mut window = Window::new(start);
        let (mut now, mut granted_at) = (start, Vec::new());
        for _ in 0..14 {
            now = window.next(now, RATE).unwrap_or(now);
            pass(&mut window, now);
            granted_at.push((now - start).as_secs());
        }
        assert_eq!(granted_at, [0, 0, 0, 0, 0, 0, 60, 120, 180, 240, 300, 300, 333, 367]);
    }
}
