//! The minimum rate at which a client has to send a body, and to take one.
//!
//! A client that sends or takes a byte now and then would hold a permit, or memory, as long as it likes. A minimum rate
//! bounds
//! that. A pause is not slowness yet: only time spent waiting counts, and a client that was fast may pause.

use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use crate::proxy::timer::Timer;

/// How long a body may be waited for. Waiting spends credit, and data that moves at [`MIN_BYTES_PER_SECOND`] earns as
/// much as it takes.
#[derive(Debug)]
pub struct MinRate {
    credit: Duration,
    most: Duration,
    /// When the credit is spent, while data is waited for.
    deadline: Option<Instant>,
    timer: Timer,
}

impl MinRate {
    /// `most`: how long nothing may move after the client was fast enough.
    pub fn new(most: Duration) -> Self {
        Self { credit: most, most, deadline: None, timer: Timer::default() }
    }

    /// Starts over for another body.
    pub fn restart(&mut self, most: Duration) {
        (self.credit, self.most, self.deadline) = (most, most, None);
    }

    /// Data has moved.
    pub fn moved(&mut self, bytes: usize) {
        if let Some(deadline) = self.deadline.take() {
            self.credit = deadline.saturating_duration_since(Instant::now());
        }
        if self.credit < self.most {
            let earned = Duration::from_micros((bytes as u64).saturating_mul(1_000_000) / MIN_BYTES_PER_SECOND);
            self.credit = self.credit.saturating_add(earned).min(self.most);
        }
    }

    /// Nothing moves, and data is waited for. Ready when the credit is spent.
    pub fn poll_overdue(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let deadline = *self.deadline.get_or_insert_with(|| Instant::now() + self.credit);
        self.timer.poll_until(context, deadline)
    }

    /// Whether the client was fast enough until now.
    pub fn was_fast(&self) -> bool {
        self.credit == self.most
    }
}

/// Bytes a second. Windows' HTTP.sys, which NAV and IIS run behind, requires as many in both directions by default
/// (IIS, `MinFileBytesPerSec`), and so does Kestrel. A modem of 1994 moves ten times as many, the slowest DSL line a
/// hundred times. A client
/// that processes each record while it reads stays above it with one record a second.
pub const MIN_BYTES_PER_SECOND: u64 = 240;

#[cfg(test)]
mod tests {
    use super::*;

    /// The time after which it is overdue, in seconds of waiting.
    async fn overdue(min_rate: &mut MinRate) -> u64 {
        let started = Instant::now();
        std::future::poll_fn(|context| min_rate.poll_overdue(context)).await;
        started.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn only_waiting_costs_credit_and_what_moves_earns_it() {
        let mut min_rate = MinRate::new(Duration::from_secs(60));
        min_rate.moved(1);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert!(min_rate.was_fast());
        assert_eq!(overdue(&mut min_rate).await, 60);
        min_rate.moved(10 * 240);
        assert!(!min_rate.was_fast());
        assert_eq!(overdue(&mut min_rate).await, 10);
        min_rate.moved(1000 * 240);
        assert_eq!(overdue(&mut min_rate).await, 60, "no more than there was at first");
    }

    #[tokio::test(start_paused = true)]
    async fn another_body_begins_with_full_credit() {
        let mut min_rate = MinRate::new(Duration::from_secs(600));
        let waiting = tokio::time::timeout(Duration::from_secs(590), overdue(&mut min_rate)).await;
        assert!(waiting.is_err());
        min_rate.restart(Duration::from_secs(20));
        assert_eq!(overdue(&mut min_rate).await, 20);
    }
}
