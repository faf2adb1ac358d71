//! Records that wait for their export. Whoever adds one never waits.

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
    records: Vec<T>,
    bytes: usize,
    is_closed: bool,
}

impl<T: Message> Queue<T> {
    /// An empty queue.
    pub fn new(signal: Signal, state: &Arc<ExportState>) -> Arc<Self> {
        let waiting = Mutex::new(Waiting { records: Vec::new(), bytes: 0, is_closed: false });
        Arc::new(Self { signal, state: state.clone(), waiting, filling: Notify::new() })
    }

    /// Adds records that belong together, or drops all of them.
    pub fn push(&self, records: Vec<T>) {
        let bytes: usize = records.iter().map(size_of_record).sum();
        let mut waiting = self.lock();
        if waiting.is_closed || waiting.bytes + bytes > MAX_BYTES {
            drop(waiting);
            self.state.dropped(self.signal, records.len());
            return;
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

    /// Takes all records.
    pub fn take(&self) -> Vec<T> {
        let mut waiting = self.lock();
        waiting.bytes = 0;
        mem::take(&mut waiting.records)
    }

    /// Completes when the queue has begun to fill up.
    pub async fn filling(&self) {
        self.filling.notified().await;
    }

    /// Drops what is left, and whatever comes: nobody takes it any more.
    pub fn close(&self) {
        let mut waiting = self.lock();
        waiting.is_closed = true;
        let left = mem::take(&mut waiting.records);
        drop(waiting);
        self.state.dropped(self.signal, left.len());
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a record takes of a queue, or of a batch.
pub fn size_of_record(record: &impl Message) -> usize {
    record.encoded_len() + RECORD_OVERHEAD
}

/// What a queue holds at most.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// So much wakes the exporter before its time.
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
        assert_eq!(queue.take().len(), 15);
        assert_eq!(state.counts(Signal::Logs), (0, 5));
        queue.push(vec![record.clone()]);
        queue.close();
        queue.push(vec![record]);
        assert_eq!(state.counts(Signal::Logs), (0, 7));
    }
}
