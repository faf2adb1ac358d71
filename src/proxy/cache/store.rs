//! What is kept, and what is under way: for all routes, in one bounded room.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use lru::LruCache;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::flight::Flight;
use super::kept::Kept;
use super::key::Key;
use super::status::Alone;
use super::terms::Wishes;
use crate::proxy::body::memory_budget::MemoryBudget;
use crate::proxy::environment::changes::{Moment, Stage};

/// All answers that are kept. Clones are the same.
#[derive(Debug, Clone)]
pub struct Answers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// What answers take, those that somebody is still reading among them, and those that are just coming.
    room: MemoryBudget,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The room bounds it.
    kept: LruCache<Arc<Key>, Entry>,
    aloft: HashMap<Arc<Key>, Aloft>,
    /// So many were under way so far.
    flights: u64,
    /// Whether somebody sees to it that nothing stays that is too old.
    is_tended: bool,
}

#[derive(Debug)]
struct Entry {
    what: What,
    until: Instant,
}

#[derive(Debug)]
enum What {
    Answer {
        kept: Arc<Kept>,
        moment: Moment,
    },
    /// Its answers are no good for sharing: nobody waits for one to find that out again.
    Unshared {
        _room: OwnedSemaphorePermit,
    },
}

#[derive(Debug)]
struct Aloft {
    flight: Weak<Flight>,
    number: u64,
    moment: Moment,
}

/// Where the answer to a request is to be had.
#[derive(Debug)]
pub enum Found {
    Kept {
        kept: Arc<Kept>,
        left: Duration,
    },
    /// Somebody else's.
    Aloft(Arc<Flight>),
    /// Its own, which others may share.
    Started(Arc<Flight>),
    Alone(Alone),
}

/// A flight's place among those that others can join. Dropping it takes it away.
#[derive(Debug)]
pub struct Ticket {
    answers: Answers,
    key: Arc<Key>,
    number: u64,
    moment: Moment,
}

impl Default for Answers {
    fn default() -> Self {
        Self::of_kib(ROOM_KIB)
    }
}

impl Answers {
    fn of_kib(kib: usize) -> Self {
        let state = State { kept: LruCache::unbounded(), aloft: HashMap::new(), flights: 0, is_tended: false };
        Self(Arc::new(Shared { room: MemoryBudget::of_kib(kib), state: Mutex::new(state) }))
    }

    /// Where the answer is to be had at this moment; if nowhere, `start` starts a request for it.
    pub fn find(
        &self,
        key: &Arc<Key>,
        moment: Moment,
        wishes: &Wishes,
        start: impl FnOnce(Ticket) -> Arc<Flight>,
    ) -> Found {
        let now = Instant::now();
        let mut state = self.0.lock();
        if let Some(Entry { what, until }) = state.kept.get(key).filter(|entry| entry.until > now) {
            match what {
                What::Unshared { .. } => return Found::Alone(Alone::Answer),
                What::Answer { kept, moment: then } if *then == moment && wishes.take(kept.age(now)) => {
                    return Found::Kept { kept: kept.clone(), left: *until - now };
                }
                What::Answer { .. } => {}
            }
        }
        // Whoever asks may have been told of the change already, and whoever asked before was not.
        if moment.stage == Stage::Settling {
            return Found::Alone(Alone::Change);
        }
        let known = state.aloft.get(key).filter(|aloft| aloft.moment == moment && !wishes.are_for_a_new_one());
        if let Some(flight) = known.and_then(|aloft| aloft.flight.upgrade()) {
            return Found::Aloft(flight);
        }
        state.flights += 1;
        let number = state.flights;
        let flight = start(Ticket { answers: self.clone(), key: key.clone(), number, moment });
        state.aloft.insert(key.clone(), Aloft { flight: Arc::downgrade(&flight), number, moment });
        Found::Started(flight)
    }

    /// Room for that many bytes, for which answers that were not asked for so long may have to go; `None` when that is not enough.
    pub fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        loop {
            if let Some(room) = self.0.room.take(bytes as u64) {
                return Some(room);
            }
            self.0.lock().kept.pop_lru()?;
        }
    }

    fn keep(&self, key: Arc<Key>, entry: Entry) {
        let mut state = self.0.lock();
        state.kept.put(key, entry);
        if !std::mem::replace(&mut state.is_tended, true) {
            tokio::spawn(clear_old(Arc::downgrade(&self.0)));
        }
    }
}

impl State {
    /// Whether the flight of this number is the one that others join for this key.
    fn is_latest(&self, key: &Key, number: u64) -> bool {
        self.aloft.get(key).is_some_and(|aloft| aloft.number == number)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Throws away what is too old, until there is nothing left.
async fn clear_old(shared: Weak<Shared>) {
    loop {
        tokio::time::sleep(TENDING).await;
        let Some(shared) = shared.upgrade() else { return };
        let now = Instant::now();
        let mut state = shared.lock();
        let old: Vec<_> =
            state.kept.iter().filter(|(_, entry)| entry.until <= now).map(|(key, _)| key.clone()).collect();
        for key in old {
            state.kept.pop(&key);
        }
        if state.kept.is_empty() {
            // Under the lock: whoever keeps the next one finds that there is nobody.
            state.is_tended = false;
            return;
        }
    }
}

impl Ticket {
    /// The moment at which the request began.
    pub fn moment(&self) -> Moment {
        self.moment
    }

    pub fn answers(&self) -> &Answers {
        &self.answers
    }

    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Keeps its answer for a time, if no other request for the same has been started since; whether it is kept.
    pub fn keep(&self, kept: &Arc<Kept>, time: Duration) -> bool {
        let is_latest = self.is_aloft();
        if is_latest {
            let what = What::Answer { kept: kept.clone(), moment: self.moment };
            self.answers.keep(self.key.clone(), Entry { what, until: Instant::now() + time });
        }
        is_latest
    }

    /// Remembers that the answers are no good for sharing.
    pub fn remember_unshared(&self) {
        if let Some(room) = self.answers.room(self.key.size()).filter(|_| self.is_aloft()) {
            let entry = Entry { what: What::Unshared { _room: room }, until: Instant::now() + UNSHARED };
            self.answers.keep(self.key.clone(), entry);
        }
    }

    fn is_aloft(&self) -> bool {
        self.answers.0.lock().is_latest(&self.key, self.number)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.answers.0.lock();
        if state.is_latest(&self.key, self.number) {
            state.aloft.remove(&self.key);
        }
    }
}

/// What all answers together may take.
const ROOM_KIB: usize = 64 * 1024;

/// How long it is remembered that an answer is no good for sharing.
const UNSHARED: Duration = Duration::from_secs(60);

/// How often what is too old is thrown away.
const TENDING: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use hyper::{HeaderMap, Response, Uri};

    use super::*;
    use crate::proxy::cache::flight::Landed;
    use crate::proxy::environment::changes::Changes;
    use crate::proxy::rejection::Kind;
    use crate::proxy::rejection::Rejection;

    const MINUTE: Duration = Duration::from_secs(60);

    fn key(number: u64) -> Arc<Key> {
        Arc::new(Key::new(number, &Uri::from_static("/a"), &HeaderMap::new()))
    }

    fn moment() -> Moment {
        Changes::default().moment(None)
    }

    fn wishes() -> Wishes {
        Wishes::take_from(&mut HeaderMap::new())
    }

    /// Asks for something and keeps an answer of so many KiB to it, if there is room.
    fn keep(answers: &Answers, number: u64, kib: usize) -> Option<Arc<Kept>> {
        let room = answers.room(kib * 1024)?;
        let kept = Arc::new(Kept::new(Response::new(()).into_parts().0, vec![0; 10], room));
        let found = answers.find(&key(number), moment(), &wishes(), |ticket| {
            assert!(ticket.answers().0.state.try_lock().is_err(), "nobody else starts the same meanwhile");
            let kept = kept.clone();
            Flight::start(async move {
                ticket.keep(&kept, MINUTE);
                Landed::Refused(Rejection::new(Kind::Internal, "not looked at"))
            })
        });
        let Found::Started(flight) = found else { panic!("{found:?}") };
        futures_util::future::FutureExt::now_or_never(flight.landed());
        std::mem::forget(flight);
        Some(kept)
    }

    fn has(answers: &Answers, number: u64) -> bool {
        answers.0.lock().kept.contains(&key(number))
    }

    #[tokio::test]
    async fn what_was_not_asked_for_longest_goes_first() {
        let answers = Answers::of_kib(4);
        keep(&answers, 1, 2);
        keep(&answers, 2, 2);
        tokio::task::yield_now().await;
        assert!(has(&answers, 1) && has(&answers, 2));
        let found = answers.find(&key(1), moment(), &wishes(), |_| unreachable!("it is kept"));
        assert!(matches!(found, Found::Kept { .. }));
        drop(found);
        keep(&answers, 3, 1);
        tokio::task::yield_now().await;
        assert_eq!([1, 2, 3].map(|number| has(&answers, number)), [true, false, true]);
    }

    #[tokio::test]
    async fn what_somebody_still_reads_takes_its_room() {
        let answers = Answers::of_kib(4);
        let read = keep(&answers, 1, 3).map(|kept| kept.answer());
        tokio::task::yield_now().await;
        assert!(answers.room(2 * 1024).is_none());
        assert!(!has(&answers, 1), "it was given up for room that is not free yet");
        drop(read);
        assert!(answers.room(4 * 1024).is_some());
        assert!(answers.room(5 * 1024).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_too_old_is_thrown_away() {
        let answers = Answers::of_kib(4);
        keep(&answers, 1, 4);
        tokio::task::yield_now().await;
        assert!(answers.0.room.take(1).is_none());
        tokio::time::sleep(MINUTE + TENDING).await;
        assert!(!has(&answers, 1) && answers.0.room.take(4 * 1024).is_some());
        assert!(!answers.0.lock().is_tended);
    }
}
