//! A writer that never blocks: it buffers lines in memory, and a separate thread writes many at a time.
//!
//! Waking the thread for every line would cost more than the line. Under load it wakes at most 50 times a second.

use std::io::{self, Write};
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

use super::logging::EVENT_ONLY;
use crate::guide::Event;

/// Buffers lines. Clones share one buffer.
#[derive(Debug, Clone)]
pub struct LineWriter(Arc<Shared>);

/// Writes the buffered lines when dropped. Keep it until the process ends.
#[derive(Debug)]
#[must_use]
pub struct WriterGuard(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    buffer: Mutex<Buffer>,
    /// Signals the first line in an empty buffer, or the end.
    wake: Condvar,
    /// Signals that the thread has ended.
    done: Condvar,
}

#[derive(Debug, Default)]
struct Buffer {
    lines: Vec<u8>,
    /// The number of these lines.
    count: u64,
    /// The number of lines dropped because the buffer was full.
    dropped: u64,
    is_ending: bool,
    has_ended: bool,
}

/// Starts the thread that writes to `sink`. If `sink` is too slow, lines are dropped and counted.
pub fn start(sink: impl Write + Send + 'static) -> io::Result<(LineWriter, WriterGuard)> {
    let shared = Arc::new(Shared::default());
    thread::Builder::new().name("log".to_owned()).spawn({
        let shared = shared.clone();
        move || shared.write_to(sink)
    })?;
    Ok((LineWriter(shared.clone()), WriterGuard(shared)))
}

impl Shared {
    /// Ignores poisoning: even after a panic, the buffer holds only whole lines.
    fn lock(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_to(&self, mut sink: impl Write) {
        let mut lines = Vec::new();
        // What could not be written since the last line that could, and why.
        let mut lost: Option<(u64, io::Error)> = None;
        loop {
            let idle = |buffer: &mut Buffer| buffer.lines.is_empty() && !buffer.is_ending;
            let mut buffer = self.wake.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
            mem::swap(&mut buffer.lines, &mut lines);
            let (count, dropped) = (mem::take(&mut buffer.count), mem::take(&mut buffer.dropped));
            let is_ending = buffer.is_ending;
            drop(buffer);
            let mut recovered = None;
            match sink.write_all(&lines).and_then(|()| sink.flush()) {
                Err(error) => {
                    if lost.is_none() {
                        tracing::warn!(
                            target: EVENT_ONLY, event_id = Event::LogLinesLost.id(),
                            "the log cannot be written: {error}. Its lines are lost until it can"
                        );
                    }
                    UNWRITTEN.fetch_add(count, Ordering::Relaxed);
                    lost = Some((lost.map_or(0, |(before, _)| before) + count, error));
                }
                Ok(()) if lines.is_empty() => {}
                Ok(()) => recovered = lost.take(),
            }
            // These lines come back to this writer, in the log's format.
            if dropped > 0 {
                tracing::warn!(
                    event_id = Event::LogLinesLost.id(),
                    "{dropped} log lines were dropped: the terminal, pipe or disk of the log is too slow"
                );
            }
            if let Some((count, error)) = &recovered {
                tracing::warn!(
                    event_id = Event::LogWritable.id(),
                    "{count} log lines were lost, because the log could not be written: {error}"
                );
            }
            if is_ending && dropped == 0 && recovered.is_none() {
                self.lock().has_ended = true;
                self.done.notify_all();
                return;
            }
            lines.clear();
            lines.shrink_to(IDLE_CAPACITY_BYTES);
            // More lines arrive in the buffer meanwhile.
            drop(self.wake.wait_timeout_while(self.lock(), WRITE_INTERVAL, |buffer| !buffer.is_ending));
        }
    }
}

impl Write for LineWriter {
    /// Buffers the whole line, or drops it if the buffer is full.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut buffer = self.0.lock();
        if buffer.lines.len() + line.len() > MAX_BUFFER_BYTES {
            buffer.dropped += 1;
            UNWRITTEN.fetch_add(1, Ordering::Relaxed);
            return Ok(line.len());
        }
        let was_empty = buffer.lines.is_empty();
        buffer.lines.extend_from_slice(line);
        buffer.count += 1;
        drop(buffer);
        if was_empty {
            self.0.wake.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for LineWriter {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Drop for WriterGuard {
    fn drop(&mut self) {
        let mut buffer = self.0.lock();
        buffer.is_ending = true;
        self.0.wake.notify_one();
        // A blocked terminal or pipe must not keep the process alive.
        drop(self.0.done.wait_timeout_while(buffer, FLUSH_TIMEOUT, |buffer| !buffer.has_ended));
    }
}

/// Lines that were lost since the start of the process: what they are written to was too slow or failed.
pub fn unwritten_lines() -> u64 {
    UNWRITTEN.load(Ordering::Relaxed)
}

static UNWRITTEN: AtomicU64 = AtomicU64::new(0);

/// The shortest time between two writes: short for a reader, long for a processor.
const WRITE_INTERVAL: Duration = Duration::from_millis(20);

/// The size of the buffer, for slow readers.
const MAX_BUFFER_BYTES: usize = 16 * 1024 * 1024;

/// The capacity that stays allocated between two bursts.
const IDLE_CAPACITY_BYTES: usize = 64 * 1024;

/// How long the end of the process waits for the last write.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tracing_subscriber::Layer;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::config::{Log, LogFormat, RequestLog, Rotation};
    use crate::telemetry::event_log;
    use crate::telemetry::logging::filter;

    /// Passes each write to the test, then blocks until the test lets it continue.
    struct Sink {
        writes: mpsc::Sender<String>,
        resume: mpsc::Receiver<()>,
    }

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.writes.send(String::from_utf8(bytes.to_vec()).unwrap()).unwrap();
            // An error means that the test has dropped the sender.
            let _ = self.resume.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn sink() -> (Sink, mpsc::Receiver<String>, mpsc::Sender<()>) {
        let (writes, read) = mpsc::channel();
        let (go, resume) = mpsc::channel();
        (Sink { writes, resume }, read, go)
    }

    #[test]
    fn lines_that_arrive_during_a_write_are_written_together() {
        let (sink, read, go) = sink();
        let (mut writer, guard) = start(sink).unwrap();
        writer.write_all(b"one\n").unwrap();
        assert_eq!(read.recv().unwrap(), "one\n");
        writer.write_all(b"two\n").unwrap();
        writer.clone().write_all(b"three\n").unwrap();
        go.send(()).unwrap();
        assert_eq!(read.recv().unwrap(), "two\nthree\n");
        drop(go);
        drop(guard);
        assert!(read.recv().is_err());
    }

    #[test]
    fn no_buffered_line_is_lost_at_the_end() {
        let (sink, read, go) = sink();
        drop(go);
        let (mut writer, guard) = start(sink).unwrap();
        for _ in 0..3 {
            writer.write_all(b"line\n").unwrap();
        }
        drop(guard);
        assert_eq!(read.iter().collect::<String>(), "line\nline\nline\n");
    }

    #[test]
    fn a_log_that_cannot_be_written_is_an_event_and_no_line() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        struct Events(mpsc::Sender<(Event, String)>);
        impl event_log::Sink for Events {
            fn write(&mut self, event: Event, text: &str) -> io::Result<()> {
                self.0.send((event, text.to_owned())).map_err(io::Error::other)
            }
        }
        let (sender, written) = mpsc::channel();
        let events = event_log::EventLog::start(Events(sender)).unwrap();
        let shared = Arc::new(Shared::default());
        let mut log = LineWriter(shared.clone());
        log.write_all(b"lost\n").unwrap();
        shared.lock().is_ending = true;
        let settings = Log {
            format: LogFormat::Text,
            level: tracing::Level::TRACE,
            requests: RequestLog { successes: None, slow: None },
            file: None,
            rotation: Rotation { size: 1000, keep: 1 },
        };
        let lines = tracing_subscriber::fmt::layer().with_writer(log).with_filter(filter(&settings));
        let subscriber = tracing_subscriber::registry().with(lines).with(event_log::layer(&events));
        tracing::subscriber::with_default(subscriber, || shared.write_to(Full));
        drop(events);
        let [(Event::LogLinesLost, text)] = &written.iter().collect::<Vec<_>>()[..] else { panic!() };
        assert!(text.starts_with("the log cannot be written: "), "{text}");
        assert!(shared.lock().lines.is_empty(), "no line is added to those that are lost");
    }

    #[test]
    fn lines_beyond_the_buffer_are_dropped_without_blocking() {
        let (sink, read, go) = sink();
        let (mut writer, guard) = start(sink).unwrap();
        writer.write_all(b"stuck\n").unwrap();
        assert_eq!(read.recv().unwrap(), "stuck\n");
        let line = vec![b'x'; MAX_BUFFER_BYTES / 2];
        for _ in 0..5 {
            writer.write_all(&line).unwrap();
        }
        drop(go);
        drop(guard);
        assert_eq!(read.iter().map(|text| text.len()).sum::<usize>(), MAX_BUFFER_BYTES);
    }
}
