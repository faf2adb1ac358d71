//! The sliding window of the rate limit: requests begun within the last minutes.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Requests that still count, gathered in slices: a fixed amount of memory however many there are.
#[derive(Debug, Default)]
pub struct Window {
    slices: VecDeque<Slice>,
    /// In all slices together.
    count: usize,
}

/// Requests that began shortly after each other. They expire together, with the last of them.
#[derive(Debug)]
struct Slice {
    first: Instant,
    last: Instant,
    count: usize,
}

impl Window {
    /// When the next request may begin; `None`: now. At most `count` begin within `per`.
    pub fn next(&mut self, now: Instant, count: usize, per: Duration) -> Option<Instant> {
        let per = per + SLACK;
        self.expire(now, per);
        let mut excess = (self.count + 1).saturating_sub(count);
        for slice in &self.slices {
            match excess.checked_sub(slice.count) {
                _ if excess == 0 => return None,
                Some(rest) if rest > 0 => excess = rest,
                _ => return Some(slice.last + per),
            }
        }
        None
    }

    /// Requests begun within the last `per`.
    pub fn recent(&mut self, now: Instant, per: Duration) -> usize {
        self.expire(now, per + SLACK);
        self.count
    }

    fn expire(&mut self, now: Instant, per: Duration) {
        while let Some(oldest) = self.slices.front().filter(|slice| slice.last + per <= now) {
            self.count -= oldest.count;
            self.slices.pop_front();
        }
    }

    /// Counts a request that begins now.
    pub fn begins(&mut self, now: Instant, per: Duration) {
        self.count += 1;
        match self.slices.back_mut() {
            Some(slice) if now < slice.first + per / SLICES => {
                slice.last = now;
                slice.count += 1;
            }
            _ => self.slices.push_back(Slice { first: now, last: now, count: 1 }),
        }
    }
}

/// Requests take different times to reach Business Central, where one that began early may count late.
const SLACK: Duration = Duration::from_secs(1);

const SLICES: u32 = 256;

#[cfg(test)]
mod tests {
    use super::*;

    const PER: Duration = Duration::from_secs(300);

    #[test]
    fn a_request_may_begin_when_enough_earlier_ones_have_expired() {
        let (start, mut window) = (Instant::now(), Window::default());
        let at = |seconds| start + Duration::from_secs(seconds);
        for second in 0..10 {
            assert_eq!(window.next(at(second * 10), 10, PER), None);
            window.begins(at(second * 10), PER);
        }
        assert_eq!(window.next(at(100), 10, PER), Some(at(301)));
        assert_eq!(window.next(at(100), 8, PER), Some(at(321)), "another connector allows less");
        assert_eq!(window.next(at(300), 10, PER), Some(at(301)));
        assert_eq!(window.next(at(301), 10, PER), None);
    }

    #[test]
    fn its_memory_does_not_grow_with_what_it_counts() {
        let (start, mut window) = (Instant::now(), Window::default());
        let mut most = 0;
        for number in 0..100_000 {
            let now = start + Duration::from_millis(number * 10);
            assert_eq!(window.next(now, 1_000_000, PER), None);
            window.begins(now, PER);
            most = most.max(window.slices.len());
        }
        assert!(most < 300, "{most}");
        assert!((30_000..31_000).contains(&window.count), "{}", window.count);
    }
}
