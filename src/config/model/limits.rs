//! The limits of one application, and how long requests wait in the queue.

use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

use super::duration;

/// The settings of one limiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many requests may run at the same time. At least 1.
    pub concurrency: usize,
    /// How many requests may start within a period.
    pub requests: Rate,
    /// How many requests may wait in the queue. At least 1.
    pub queue: usize,
    /// How long a request may wait in the queue.
    pub wait: Duration,
}

/// A number of requests within any period of a given length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many requests. At least 1.
    pub count: usize,
    /// The length of the period. Longer than zero.
    pub per: Duration,
}

/// A whole number from 1 to [`Count::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count(pub usize);

/// How many permits a client gets in each round of a queue. From 1 to 10.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weight(pub NonZeroUsize);

/// Why text is not a [`Count`], a [`Rate`] or a [`Weight`]. The message says how to write one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// Not a whole number in the range of [`Count`].
    #[error("write a whole number from 1 to 1000000")]
    Count,
    /// Not a whole number in the range of [`Weight`].
    #[error("write a whole number from 1 to 10")]
    Weight,
    /// Not of the form `6000 per 5m`.
    #[error("write a number of requests and a period, such as 6000 per 5m")]
    Rate,
}

impl Limits {
    /// The lower limit of each pair, and the slower rate.
    pub fn tightest(&self, other: &Self) -> Self {
        let slower = self.requests.per.as_nanos() * other.requests.count as u128
            >= other.requests.per.as_nanos() * self.requests.count as u128;
        Self {
            concurrency: self.concurrency.min(other.concurrency),
            requests: if slower { self.requests } else { other.requests },
            queue: self.queue.min(other.queue),
            wait: self.wait.min(other.wait),
        }
    }
}

impl Count {
    pub const MAX: usize = 1_000_000;
}

impl FromStr for Count {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let count = text.parse().ok().filter(|count| is_number && (1..=Self::MAX).contains(count));
        count.map(Self).ok_or(LimitError::Count)
    }
}

impl Weight {
    pub const MAX: usize = 10;
}

impl FromStr for Weight {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        let count = text.parse().ok().filter(|Count(count)| *count <= Self::MAX);
        count.and_then(|Count(count)| NonZeroUsize::new(count)).map(Self).ok_or(LimitError::Weight)
    }
}

impl FromStr for Rate {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        let (count, per) = text.split_once(" per ").ok_or(LimitError::Rate)?;
        let count: Count = count.trim().parse()?;
        let per = duration::parse(per.trim()).map_err(|_| LimitError::Rate)?;
        Ok(Self { count: count.0, per })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_in_a_time() {
        assert_eq!("6000 per 5m".parse(), Ok(Rate { count: 6000, per: Duration::from_secs(300) }));
        assert_eq!("1 per 500ms".parse(), Ok(Rate { count: 1, per: Duration::from_millis(500) }));
        for wrong in ["", "6000", "6000/5m", "per 5m", "6000 per", "6000 per 5", "6000 per 0s", "six per 5m"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
        for wrong in ["", "0", "-1", "+1", "1.5", "1000001", "99999999999999999999", " 5"] {
            assert_eq!(wrong.parse::<Count>(), Err(LimitError::Count), "{wrong}");
        }
    }

    #[test]
    fn a_weight_is_a_small_number() {
        assert_eq!("1".parse(), Ok(Weight(NonZeroUsize::MIN)));
        assert_eq!("10".parse::<Weight>().unwrap().0.get(), Weight::MAX);
        for wrong in ["", "0", "11", "-1", "1.5", "high"] {
            assert_eq!(wrong.parse::<Weight>(), Err(LimitError::Weight), "{wrong}");
        }
    }

    #[test]
    fn the_tightest_is_the_slower_rate() {
        let limits = |concurrency, count, per| Limits {
            concurrency,
            requests: Rate { count, per: Duration::from_secs(per) },
            queue: 10,
            wait: Duration::from_secs(1),
        };
        let (many, few) = (limits(5, 6000, 300), limits(9, 10, 1));
        let tightest = limits(5, 10, 1);
        assert_eq!(many.tightest(&few), tightest);
        assert_eq!(few.tightest(&many), tightest);
    }
}
