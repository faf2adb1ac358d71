//! What is held of answers because their clients have not taken it yet; bounded for all clients together.
//!
//! An answer is read from Business Central faster than a slow client takes it, so that its place there is soon free for others. Thousands of such
//! clients, or one program that opens connections and never reads, would fill the memory: when there is no room left, each gets its next
//! piece once it has taken what it has.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;

/// The room all clients' answers share. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct BacklogBudget(Arc<AtomicUsize>);

/// What one client has not taken yet; hyper holds it.
#[derive(Debug)]
pub struct WriteBacklog {
    room: BacklogBudget,
    bytes: AtomicUsize,
    /// The client's task, if its answer waits for room.
    waiting: AtomicWaker,
}

impl WriteBacklog {
    pub fn new(room: BacklogBudget) -> Self {
        Self { room, bytes: AtomicUsize::new(0), waiting: AtomicWaker::new() }
    }

    /// Ready when the next piece of the answer may be held.
    ///
    /// Only the client's own taking is waited for: what it has not taken yet keeps its connection busy meanwhile.
    pub fn poll_room(&self, context: &mut Context<'_>) -> Poll<()> {
        if !self.is_in_the_way() {
            return Poll::Ready(());
        }
        self.waiting.register(context.waker());
        Poll::Pending
    }

    /// hyper was handed so many bytes.
    pub fn hold(&self, bytes: usize) {
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.room.0.fetch_add(shared(before + bytes) - shared(before), Ordering::Relaxed);
    }

    /// The client took so many bytes; those of heads and of framing, which are not counted, among them.
    pub fn take(&self, bytes: usize) {
        let before = self.bytes.load(Ordering::Relaxed);
        if before == 0 {
            return;
        }
        // Nobody else changes it meanwhile: the pieces and the writes of a connection are its one task's.
        let left = before.saturating_sub(bytes);
        self.bytes.store(left, Ordering::Relaxed);
        self.room.0.fetch_sub(shared(before) - shared(left), Ordering::Relaxed);
        if !self.is_in_the_way() {
            self.waiting.wake();
        }
    }

    /// The client took all there was.
    pub fn take_all(&self) {
        self.take(usize::MAX);
    }

    /// Whether it takes of a room that is full.
    pub fn is_in_the_way(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > OWN_BYTES && self.room.0.load(Ordering::Relaxed) >= ROOM_BYTES
    }
}

impl Drop for WriteBacklog {
    fn drop(&mut self) {
        self.take_all();
    }
}

/// Of what one client has not taken, the part that takes from the room.
fn shared(bytes: usize) -> usize {
    bytes.saturating_sub(OWN_BYTES)
}

/// What each client may have besides: small answers need no room.
const OWN_BYTES: usize = 16 * 1024;

/// Room for what 300 slow clients have of a large page.
const ROOM_BYTES: usize = 128 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicU32);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn without_room_a_client_gets_its_next_piece_once_it_has_taken_the_last() {
        let room = BacklogBudget::default();
        let [greedy, other] = [(); 2].map(|()| WriteBacklog::new(room.clone()));
        let woken = Arc::new(Woken::default());
        let waker = woken.clone().into();
        let mut context = Context::from_waker(&waker);

        greedy.hold(ROOM_BYTES);
        assert!(greedy.poll_room(&mut context).is_ready(), "a little is left");
        greedy.hold(OWN_BYTES);
        assert!(greedy.poll_room(&mut context).is_pending());

        assert!(other.poll_room(&mut context).is_ready(), "it has nothing yet");
        other.hold(64 * 1024);
        assert!(other.poll_room(&mut context).is_pending());
        other.take(40 * 1024);
        assert!(other.poll_room(&mut context).is_pending());
        assert_eq!(woken.0.load(Ordering::Relaxed), 0);
        other.take(10 * 1024);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert!(other.poll_room(&mut context).is_ready());
        other.hold(64 * 1024);

        drop(greedy);
        assert!(other.poll_room(&mut context).is_ready(), "who leaves makes room");
        other.take_all();
        assert_eq!(room.0.load(Ordering::Relaxed), 0);
    }
}
