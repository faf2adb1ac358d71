//! A bound on retries after faults.

use std::sync::atomic::{AtomicI64, Ordering};

/// How many more requests than asked for are sent: a tenth, and a few in any case. In an outage, repeating everything would make it worse.
#[derive(Debug)]
pub struct RetryBudget(AtomicI64);

impl Default for RetryBudget {
    fn default() -> Self {
        Self(AtomicI64::new(FULL))
    }
}

impl RetryBudget {
    /// A request is sent for the first time.
    pub fn earn(&self) {
        if self.0.load(Ordering::Relaxed) < FULL {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether one may be sent again.
    pub fn spend(&self) -> bool {
        let before = self.0.fetch_sub(COST, Ordering::Relaxed);
        if before < COST {
            self.0.fetch_add(COST, Ordering::Relaxed);
        }
        before >= COST
    }
}

/// What sending again costs, in requests sent once.
const COST: i64 = 10;

/// Enough for twenty.
const FULL: i64 = 20 * COST;

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
