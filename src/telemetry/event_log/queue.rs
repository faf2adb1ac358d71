//! A thread that writes events: the Event Log is a service of its own, which may be slow or blocked.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::flood_limit::{FloodLimit, Permission};
use super::text::bounded;
use crate::guide::Event;

/// What events are written to.
pub trait Sink: Send + 'static {
    /// Writes one event. The text has at most 30,000 UTF-16 units; lines end with `\n`.
    fn write(&mut self, event: Event, text: &str) -> io::Result<()>;
}

/// The event log of a service. When dropped, it waits for a moment until all events are written.
#[derive(Debug)]
#[must_use]
pub struct EventLog(Reporter);

/// Queues events. Clones share one queue.
#[derive(Debug, Clone)]
pub(super) struct Reporter(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// Signals the first event in an empty queue, or the end.
    wake: Condvar,
    /// Signals that the thread has ended.
    done: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<(Event, String)>,
    flood_limit: FloodLimit,
    /// The number of events dropped because the queue was full.
    dropped: u64,
    is_ending: bool,
    has_ended: bool,
}

impl EventLog {
    /// Starts the thread that writes to `sink`. An error means that the system starts no thread.
    pub fn start(sink: impl Sink) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        thread::Builder::new().name("event-log".to_owned()).spawn({
            let shared = shared.clone();
            move || shared.write_to(sink)
        })?;
        Ok(Self(Reporter(shared)))
    }

    /// Queues an event that has no line in the log, such as a failed start. The text is plain, without colors.
    pub fn report(&self, event: Event, text: &str) {
        self.0.report(event, "", text);
    }

    pub(super) fn reporter(&self) -> Reporter {
        self.0.clone()
    }
}

impl Reporter {
    /// Queues an event without ever waiting. `subject`: what it is about, such as the connector.
    pub fn report(&self, event: Event, subject: &str, text: &str) {
        let mut queue = self.0.lock();
        let permission = queue.flood_limit.check(event, subject, Instant::now());
        if permission == Permission::Denied {
            return;
        }
        if queue.events.len() >= MAX_QUEUED || queue.is_ending {
            queue.dropped += 1;
            return;
        }
        queue.events.push_back((event, bounded(event, text, permission == Permission::Last)));
        drop(queue);
        self.0.wake.notify_one();
    }
}

impl Shared {
    /// Ignores poisoning: even after a panic, the queue holds only whole events.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_to(&self, mut sink: impl Sink) {
        let mut is_failing = false;
        loop {
            let idle = |queue: &mut Queue| queue.events.is_empty() && !queue.is_ending;
            let mut queue = self.wake.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
            let next = queue.events.pop_front();
            let dropped = std::mem::take(&mut queue.dropped);
            if next.is_none() {
                queue.has_ended = true;
                self.done.notify_all();
                return;
            }
            drop(queue);
            if dropped > 0 {
                tracing::warn!("{dropped} events were dropped: the Event Log is too slow. The log has their lines");
            }
            if let Some((event, text)) = next {
                let written = sink.write(event, &text);
                if let (Err(error), false) = (&written, is_failing) {
                    tracing::warn!(
                        "events cannot be written to the Event Log ({error}); until they can, only the log has their lines"
                    );
                }
                is_failing = written.is_err();
            }
        }
    }
}

impl Drop for EventLog {
    fn drop(&mut self) {
        let shared = &self.0.0;
        let mut queue = shared.lock();
        queue.is_ending = true;
        shared.wake.notify_one();
        // A blocked Event Log must not keep the process alive.
        drop(shared.done.wait_timeout_while(queue, FLUSH_TIMEOUT, |queue| !queue.has_ended));
    }
}

/// Events that wait to be written.
const MAX_QUEUED: usize = 200;

/// How long the end of the process waits for the last event.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Passes each event to the test, then blocks until the test lets it continue.
    struct Slow {
        written: mpsc::Sender<String>,
        resume: mpsc::Receiver<()>,
    }

    impl Sink for Slow {
        fn write(&mut self, _: Event, text: &str) -> io::Result<()> {
            self.written.send(text.to_owned()).map_err(io::Error::other)?;
            // An error means that the test has dropped the sender.
            let _ = self.resume.recv();
            Ok(())
        }
    }

    #[test]
    fn a_blocked_event_log_blocks_nobody_and_the_newest_events_are_dropped() {
        let (written, texts) = mpsc::channel();
        let (go, resume) = mpsc::channel();
        let events = EventLog::start(Slow { written, resume }).unwrap();
        events.report(Event::Started, "first");
        assert_eq!(texts.recv().unwrap(), "first");
        let bounded = Event::ALL.iter().filter(|event| event.to_do() == "nothing").cycle();
        for (number, event) in bounded.take(MAX_QUEUED + 10).enumerate() {
            events.report(*event, &number.to_string());
        }
        assert_eq!(events.0.0.lock().dropped, 10);
        drop(go);
        drop(events);
        let expected: Vec<String> = (0..MAX_QUEUED).map(|number| number.to_string()).collect();
        assert_eq!(texts.iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn an_event_log_that_fails_is_tried_again() {
        struct Failing(mpsc::Sender<u16>);
        impl Sink for Failing {
            fn write(&mut self, event: Event, _: &str) -> io::Result<()> {
                self.0.send(event.id()).map_err(io::Error::other)?;
                Err(io::ErrorKind::Other.into())
            }
        }
        let (sender, tried) = mpsc::channel();
        let events = EventLog::start(Failing(sender)).unwrap();
        for event in [Event::Started, Event::Stopping, Event::Stopped] {
            events.report(event, "");
        }
        drop(events);
        assert_eq!(tried.iter().collect::<Vec<_>>(), [100, 102, 103]);
    }
}
