//! Records that wait for their export. Whoever adds one never waits.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prost::Message;
use tokio::sync::Notify;

use super::state::{ExportState, Signal};

/// The records of one signal that wait for their export. When it is full, further ones are dropped and counted.
#[derive(Debug)]
pub struct Queue<T> {
    /// Whose records they are.
    pub signal: Signal,
    state: Arc<ExportState>,
    waiting: Mutex<Waiting<T>>,
    filling: Notify,
}

#[derive(Debug)]
struct Waiting<T> {
    records: VecDeque<T>,
    /// Their size.
    bytes: usize,
    is_closed: bool,
}

impl<T: Message> Queue<T> {
    /// An empty queue.
    pub fn new(signal: Signal, state: &Arc<ExportState>) -> Arc<Self> {
        let waiting = Mutex::new(Waiting { records: VecDeque::new(), bytes: 0, is_closed: false });
        Arc::new(Self { signal, state: state.clone(), waiting, filling: Notify::new() })
    }

    /// Adds records that belong together, or drops all of them.
    pub fn push(&self, records: Vec<T>) {
        let bytes: usize = records.iter().map(size_of_record).sum();
        let mut waiting = self.lock();
        if waiting.is_closed {
            drop(waiting);
            return self.state.dropped_late(self.signal, records.len());
        }
        if waiting.bytes + bytes > MAX_BYTES {
            drop(waiting);
            return self.state.dropped(self.signal, records.len());
        }
        // The exporter wakes once in a while: to wake it for each record would cost more than the record.
        let fills_up = waiting.bytes < FILLING_BYTES && waiting.bytes + bytes >= FILLING_BYTES;
        waiting.bytes += bytes;
        waiting.records.extend(records);
        drop(waiting);
        if fills_up {
            self.filling.notify_one();
        }
    }

    /// How many records wait.
    pub fn count(&self) -> usize {
        self.lock().records.len()
    }

    /// Takes the oldest records: up to this size together, but at least one. Empty if no record waits.
    pub fn take(&self, max_bytes: usize) -> Vec<T> {
        let mut waiting = self.lock();
        let mut bytes = 0;
        let fitting = waiting.records.iter().take_while(|record| {
            let size = size_of_record(*record);
            let fits = bytes == 0 || bytes + size <= max_bytes;
            bytes += if fits { size } else { 0 };
            fits
        });
        let count = fitting.count();
        waiting.bytes = waiting.bytes.saturating_sub(bytes);
        waiting.records.drain(..count).collect()
    }

    /// Completes when the queue fills up.
    pub async fn filling(&self) {
        if self.lock().bytes < FILLING_BYTES {
            self.filling.notified().await;
        }
    }

    /// Drops what is left, and whatever comes: nobody takes it any more.
    pub fn close(&self) {
        let mut waiting = self.lock();
        waiting.is_closed = true;
        let left = mem::take(&mut waiting.records);
        drop(waiting);
        self.state.dropped_late(self.signal, left.len());
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a record takes of a queue, or of a batch.
pub fn size_of_record(record: &impl Message) -> usize {
    record.encoded_len() + RECORD_OVERHEAD
}

/// The size of a queue.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// The size of the waiting records that wakes the exporter before its time.
const FILLING_BYTES: usize = 512 * 1024;

/// Memory of a record besides its encoded form.
const RECORD_OVERHEAD: usize = 256;

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::logs::v1::LogRecord;

    use super::*;

    #[tokio::test]
    async fn a_full_queue_drops_and_counts() {
        let state = Arc::new(ExportState::default());
        let queue = Queue::new(Signal::Logs, &state);
        let record = LogRecord { event_name: "x".repeat(FILLING_BYTES), ..LogRecord::default() };
        for _ in 0..20 {
            queue.push(vec![record.clone()]);
        }
        queue.filling().await;
        assert_eq!((queue.count(), queue.take(1).len()), (15, 1));
        assert_eq!(queue.take(3 * FILLING_BYTES).len(), 2, "each is a little larger");
        assert_eq!(queue.take(usize::MAX).len(), 12);
        assert!(queue.take(usize::MAX).is_empty());
        assert_eq!(state.counts(Signal::Logs), (0, 5));
        queue.push(vec![record.clone()]);
        queue.close();
        queue.push(vec![record]);
        assert_eq!(state.counts(Signal::Logs), (0, 7));
        assert_eq!(state.dropped_in_service(), 5, "the others came when it was closed");
    }
}
