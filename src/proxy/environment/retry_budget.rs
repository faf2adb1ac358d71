//! A bound on retries after faults.

use std::sync::atomic::{AtomicI64, Ordering};

/// How many retries are allowed: a tenth of all requests, and a few in any case. In an outage, retrying everything
/// would make it worse.
#[derive(Debug)]
pub struct RetryBudget(AtomicI64);

impl Default for RetryBudget {
    fn default() -> Self {
        Self(AtomicI64::new(MAX_CREDIT))
    }
}

impl RetryBudget {
    /// Earns credit for a first attempt.
    pub fn earn(&self) {
        if self.0.load(Ordering::Relaxed) < MAX_CREDIT {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Spends credit for a retry. Whether there was enough.
    pub fn spend(&self) -> bool {
        let before = self.0.fetch_sub(COST, Ordering::Relaxed);
        if before < COST {
            self.0.fetch_add(COST, Ordering::Relaxed);
        }
        before >= COST
    }
}

/// The cost of a retry, in first attempts.
const COST: i64 = 10;

/// Enough for twenty retries.
const MAX_CREDIT: i64 = 20 * COST;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_is_a_tenth() {
        let budget = RetryBudget::default();
        assert_eq!((0..100).filter(|_| budget.spend()).count(), 20);
        for _ in 0..95 {
            budget.earn();
        }
        assert_eq!((0..100).filter(|_| budget.spend()).count(), 9);
        for _ in 0..10_000 {
            budget.earn();
        }
        assert_eq!((0..100).filter(|_| budget.spend()).count(), 20);
    }
}
