//! A budget that clients share fairly: what they make the proxy hold, bounded for all of them together.
//!
//! When it is spent, the client that holds the most gives up something first. A client with less than its share of the
//! budget is always served.

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use futures_util::task::AtomicWaker;

use super::ledger::Ledger;

/// A number of bytes that all clients share. Clones share it, too.
#[derive(Debug, Clone)]
pub struct FairBudget(Arc<Mutex<Ledger>>);

/// One that holds bytes of the budget: a client's connection, or a body on disk.
#[derive(Debug)]
pub struct Holder {
    budget: FairBudget,
    pub(super) client: IpAddr,
    /// Whether it waits where it can still give up.
    can_give_up: AtomicBool,
    is_evicted: AtomicBool,
    waker: AtomicWaker,
}

/// Held bytes, released when this is dropped.
#[derive(Debug)]
pub struct Held {
    holder: Arc<Holder>,
    bytes: u64,
}

/// The budget is spent, and nobody holds more than this client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this client holds the most of it")]
pub struct Exhausted;

impl FairBudget {
    /// A budget of this many bytes.
    pub fn new(limit: u64) -> Self {
        Self(Arc::new(Mutex::new(Ledger::new(limit))))
    }

    /// Changes the limit. Nobody gives anything up for it.
    pub fn set_limit(&self, limit: u64) {
        self.lock().limit = limit;
    }

    /// Bytes that clients hold.
    pub fn used(&self) -> u64 {
        self.lock().used
    }

    /// Bytes that clients may hold.
    pub fn limit(&self) -> u64 {
        self.lock().limit
    }

    /// Whether at least half of it is held.
    pub fn is_half_used(&self) -> bool {
        let ledger = self.lock();
        ledger.used >= ledger.limit / 2
    }

    /// How often a client could get nothing or had to give something up.
    pub fn rejections(&self) -> u64 {
        self.lock().rejections
    }

    /// A new holder, without bytes.
    pub fn holder(&self, client: IpAddr) -> Arc<Holder> {
        Arc::new(Holder {
            budget: self.clone(),
            client,
            can_give_up: AtomicBool::new(false),
            is_evicted: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Holder {
    /// The budget it holds bytes of.
    pub fn budget(&self) -> &FairBudget {
        &self.budget
    }

    /// Holds nothing yet.
    pub fn empty(self: &Arc<Self>) -> Held {
        Held { holder: self.clone(), bytes: 0 }
    }

    /// Holds that many bytes, for which larger holders may have to give up theirs.
    pub fn hold(self: &Arc<Self>, bytes: u64) -> Result<Held, Exhausted> {
        let mut held = self.empty();
        held.grow(bytes)?;
        Ok(held)
    }

    /// Holds bytes that are there already, even beyond the limit.
    pub fn add(self: &Arc<Self>, bytes: u64) {
        self.budget.lock().add(self, bytes);
    }

    /// Releases bytes of [`add`](Self::add).
    pub fn release(&self, bytes: u64) {
        self.budget.lock().release(self, bytes);
    }

    /// Waits for a future. Meanwhile others may make this holder give up.
    pub async fn or_evicted<F: Future>(&self, future: F) -> Result<F::Output, Exhausted> {
        let mut future = pin!(future);
        let mut waiting = CanGiveUp::new(self);
        poll_fn(|context| {
            self.waker.register(context.waker());
            if self.is_evicted.load(Ordering::Acquire) {
                waiting.gives_up = true;
                return Poll::Ready(Err(Exhausted));
            }
            future.as_mut().poll(context).map(Ok)
        })
        .await
    }

    /// What tells it from other holders.
    pub(super) fn id(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    pub(super) fn can_give_up(&self) -> bool {
        self.can_give_up.load(Ordering::Acquire)
    }

    /// Ends its wait, in which it can give up.
    pub(super) fn evict(&self) {
        self.is_evicted.store(true, Ordering::Release);
        self.waker.wake();
    }

    pub(super) fn is_not_evicted(&self) {
        self.is_evicted.store(false, Ordering::Release);
    }
}

/// While this exists, its holder can be evicted.
struct CanGiveUp<'h> {
    holder: &'h Holder,
    /// Whether it was evicted. Then it counts as leaving until it waits again.
    gives_up: bool,
}

impl<'h> CanGiveUp<'h> {
    fn new(holder: &'h Holder) -> Self {
        holder.budget.lock().stays(holder);
        holder.can_give_up.store(true, Ordering::Release);
        Self { holder, gives_up: false }
    }
}

impl Drop for CanGiveUp<'_> {
    fn drop(&mut self) {
        self.holder.can_give_up.store(false, Ordering::Release);
        if !self.gives_up {
            self.holder.budget.lock().stays(self.holder);
        }
    }
}

impl Held {
    /// Holds this many bytes, more or fewer than before; on error, as many as before.
    pub fn resize(&mut self, bytes: u64) -> Result<(), Exhausted> {
        if bytes > self.bytes {
            return self.grow(bytes - self.bytes);
        }
        self.holder.release(self.bytes - bytes);
        self.bytes = bytes;
        Ok(())
    }

    /// Holds more bytes; on error, as many as before.
    pub fn grow(&mut self, bytes: u64) -> Result<(), Exhausted> {
        let mut ledger = self.holder.budget.lock();
        let others = ledger.evict_for(&self.holder, bytes);
        if others != Ok(0) {
            ledger.rejections += 1;
        }
        others?;
        ledger.add(&self.holder, bytes);
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.holder.release(self.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn client(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn waiting(holder: &Arc<Holder>) -> impl Future<Output = Result<(), Exhausted>> {
        let holder = holder.clone();
        async move { holder.or_evicted(std::future::pending()).await }
    }

    #[test]
    fn what_is_released_can_be_held_by_others() {
        let budget = FairBudget::new(100);
        let [one, other] = [1, 2].map(|last| budget.holder(client(last)));
        let mut held = one.hold(50).unwrap();
        held.grow(50).unwrap();
        assert_eq!(held.grow(1), Err(Exhausted));
        assert_eq!((budget.used(), budget.rejections()), (100, 1));
        other.add(10);
        assert_eq!(budget.used(), 110);
        drop(held);
        other.release(10);
        assert_eq!(budget.used(), 0);
        assert!(budget.lock().clients.is_empty());
    }

    #[test]
    fn the_client_that_holds_the_most_gives_up_first() {
        let budget = FairBudget::new(100);
        let [large, small, other] = [1, 1, 2].map(|last| budget.holder(client(last)));
        let (large_held, _small) = (large.hold(60).unwrap(), small.hold(40).unwrap());
        let (mut first, mut second) = (Box::pin(waiting(&large)), Box::pin(waiting(&small)));
        assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());

        let _other = other.hold(30).unwrap();
        assert_eq!((&mut first).now_or_never(), Some(Err(Exhausted)));
        assert!((&mut second).now_or_never().is_none(), "the larger one was enough");
        drop((first, large_held));
        assert_eq!(budget.used(), 70);
        assert!(small.hold(40).is_err(), "it would hold more than the other client");
        assert_eq!(budget.lock().leaving, 0);
    }

    #[test]
    fn a_client_with_less_than_its_share_is_served_even_if_nobody_can_give_up() {
        let budget = FairBudget::new(100);
        let [greedy, other] = [1, 2].map(|last| budget.holder(client(last)));
        let _greedy = greedy.hold(100).unwrap();
        let held = other.hold(50).unwrap();
        assert!(other.hold(1).is_err());
        assert_eq!(budget.used(), 150);
        drop(held);
        assert_eq!(budget.used(), 100);
    }

    #[test]
    fn a_holder_that_stopped_waiting_keeps_what_it_holds() {
        let budget = FairBudget::new(100);
        let [one, other] = [1, 2].map(|last| budget.holder(client(last)));
        let _one = one.hold(100).unwrap();
        let mut future = Box::pin(waiting(&one));
        assert!((&mut future).now_or_never().is_none());
        let _other = other.hold(10).unwrap();
        assert_eq!(budget.lock().leaving, 100);
        drop(future);
        assert_eq!(budget.lock().leaving, 0);
        assert_eq!(budget.used(), 110);
        assert_eq!(waiting(&one).now_or_never(), None, "what was another request's end is not this one's");
    }
}
