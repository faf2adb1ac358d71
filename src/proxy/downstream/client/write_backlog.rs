//! The write backlog: parts of responses that clients have not taken yet, bounded for all clients together.
//!
//! A response is read from Business Central faster than a slow client takes it, so its permit is soon free for others.
//! Thousands of such
//! clients, or one that opens connections and never reads, would fill the memory. When the budget is spent, each gets
//! its next
//! piece once it has taken what it has.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;

use crate::proxy::budgets::fair_budget::Holder;

/// What one client has not taken yet; hyper holds it.
#[derive(Debug)]
pub struct WriteBacklog {
    /// Of the budget for all that clients make the proxy hold.
    memory: Arc<Holder>,
    bytes: AtomicUsize,
    /// The client's task, if its response waits for memory.
    waiting: AtomicWaker,
}

impl WriteBacklog {
    pub fn new(memory: Arc<Holder>) -> Self {
        Self { memory, bytes: AtomicUsize::new(0), waiting: AtomicWaker::new() }
    }

    /// Ready when the next piece of the response may be held.
    ///
    /// Only this client's own reads are waited for: its backlog keeps its connection busy meanwhile.
    pub fn poll_capacity(&self, context: &mut Context<'_>) -> Poll<()> {
        if !self.is_blocking() {
            return Poll::Ready(());
        }
        self.waiting.register(context.waker());
        Poll::Pending
    }

    /// hyper was handed this many bytes.
    pub fn hold(&self, bytes: usize) {
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let more = counted(before + bytes) - counted(before);
        if more > 0 {
            self.memory.add(more);
        }
    }

    /// The client took this many bytes, including heads and framing, which are not counted as held.
    pub fn take(&self, bytes: usize) {
        let before = self.bytes.load(Ordering::Relaxed);
        if before == 0 {
            return;
        }
        // No other task changes it: pieces and writes of a connection belong to its one task.
        let left = before.saturating_sub(bytes);
        self.bytes.store(left, Ordering::Relaxed);
        let taken = counted(before) - counted(left);
        if taken > 0 {
            self.memory.release(taken);
        }
        if !self.is_blocking() {
            self.waiting.wake();
        }
    }

    /// The client took everything.
    pub fn clear(&self) {
        self.take(usize::MAX);
    }

    /// Whether it holds a part of the budget while half of it is used. The other half is left for requests.
    pub fn is_blocking(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > FREE_BYTES && self.memory.budget().is_half_used()
    }
}

impl Drop for WriteBacklog {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The part of a client's backlog that counts against the budget.
fn counted(bytes: usize) -> u64 {
    bytes.saturating_sub(FREE_BYTES) as u64
}

/// What each client may have besides: small responses need no budget.
const FREE_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::atomic::AtomicU32;
    use std::task::Wake;

    use super::*;
    use crate::proxy::budgets::fair_budget::FairBudget;

    const HALF: usize = 1 << 20;

    #[derive(Default)]
    struct Woken(AtomicU32);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn without_room_a_client_gets_its_next_piece_once_it_has_taken_the_last() {
        let budget = FairBudget::new(2 * HALF as u64);
        let [greedy, other] = [(); 2].map(|()| WriteBacklog::new(budget.holder(Ipv4Addr::LOCALHOST.into())));
        let woken = Arc::new(Woken::default());
        let waker = woken.clone().into();
        let mut context = Context::from_waker(&waker);

        greedy.hold(HALF);
        assert!(greedy.poll_capacity(&mut context).is_ready(), "a little is left");
        greedy.hold(FREE_BYTES);
        assert!(greedy.poll_capacity(&mut context).is_pending());

        assert!(other.poll_capacity(&mut context).is_ready(), "it has nothing yet");
        other.hold(64 * 1024);
        assert!(other.poll_capacity(&mut context).is_pending());
        other.take(40 * 1024);
        assert!(other.poll_capacity(&mut context).is_pending());
        assert_eq!(woken.0.load(Ordering::Relaxed), 0);
        other.take(10 * 1024);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert!(other.poll_capacity(&mut context).is_ready());
        other.hold(64 * 1024);

        drop(greedy);
        assert!(other.poll_capacity(&mut context).is_ready(), "who leaves makes room");
        other.clear();
        assert_eq!(budget.used(), 0);
    }
}
