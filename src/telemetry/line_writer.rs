//! A writer that never waits: lines are gathered in memory and written by a thread of their own, many at a time.
//!
//! A thread that is woken for every line costs more than the line: under load it wakes a few times a second instead.

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Takes lines; clones gather in the same place.
#[derive(Debug, Clone)]
pub struct LineWriter(Arc<Shared>);

/// Writes what was gathered when dropped; keep it until the process ends.
#[derive(Debug)]
#[must_use]
pub struct WriterGuard {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    gathered: Mutex<Gathered>,
    /// The first line after a pause, or the end.
    news: Condvar,
    written: Condvar,
}

#[derive(Debug, Default)]
struct Gathered {
    lines: Vec<u8>,
    /// Lines there was no room for.
    lost: u64,
    ending: bool,
    ended: bool,
}

/// Starts the thread that writes to `sink`. Lines it can't take in time are counted, not kept.
pub fn start(sink: impl Write + Send + 'static) -> io::Result<(LineWriter, WriterGuard)> {
    let shared = Arc::new(Shared::default());
    let thread = thread::Builder::new().name("log".to_owned()).spawn({
        let shared = shared.clone();
        move || shared.write_to(sink)
    })?;
    Ok((LineWriter(shared.clone()), WriterGuard { shared, thread: Some(thread) }))
}

impl Shared {
    /// A line was pushed whole or not at all, whoever panicked.
    fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_to(&self, mut sink: impl Write) {
        let mut lines = Vec::new();
        loop {
            let idle = |gathered: &mut Gathered| gathered.lines.is_empty() && !gathered.ending;
            let mut gathered = self.news.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
            mem::swap(&mut gathered.lines, &mut lines);
            let (lost, ending) = (mem::take(&mut gathered.lost), gathered.ending);
            drop(gathered);
            // A log that can't be written can't be complained about anywhere.
            let _ = sink.write_all(&lines).and_then(|()| sink.flush());
            if lost > 0 {
                // Comes back to us in the log's own form.
                tracing::warn!("{lost} log lines were lost: whoever reads the log does not keep up with it");
            } else if ending {
                self.lock().ended = true;
                self.written.notify_all();
                return;
            }
            lines.clear();
            lines.shrink_to(KEPT_BYTES);
            // Lines that come now are gathered meanwhile.
            drop(self.news.wait_timeout_while(self.lock(), PAUSE, |gathered| !gathered.ending));
        }
    }
}

impl Write for LineWriter {
    /// Takes all of it or, when there is no room, forgets all of it.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut gathered = self.0.lock();
        if gathered.lines.len() + line.len() > MOST_BYTES {
            gathered.lost += 1;
            return Ok(line.len());
        }
        let first = gathered.lines.is_empty();
        gathered.lines.extend_from_slice(line);
        drop(gathered);
        if first {
            self.0.news.notify_one();
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
        let mut gathered = self.shared.lock();
        gathered.ending = true;
        self.shared.news.notify_one();
        // A terminal or pipe that takes nothing must not keep the process from ending.
        let waited = self.shared.written.wait_timeout_while(gathered, LAST_WORDS, |gathered| !gathered.ended);
        let ended = waited.is_ok_and(|(gathered, _)| gathered.ended);
        if let Some(thread) = self.thread.take().filter(|_| ended) {
            // It has nothing left to do that could panic.
            let _ = thread.join();
        }
    }
}

/// From one writing to the next at least: short for a reader, long for a processor.
const PAUSE: Duration = Duration::from_millis(20);

/// What may wait for a slow reader.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// What is kept allocated between two bursts.
const KEPT_BYTES: usize = 64 * 1024;

const LAST_WORDS: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Hands over what is written, and waits to be let go on.
    struct Sink {
        written: mpsc::Sender<String>,
        go_on: mpsc::Receiver<()>,
    }

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.written.send(String::from_utf8(bytes.to_vec()).unwrap()).unwrap();
            // The test has ended when nobody can say so any more.
            let _ = self.go_on.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn sink() -> (Sink, mpsc::Receiver<String>, mpsc::Sender<()>) {
        let (written, read) = mpsc::channel();
        let (go, go_on) = mpsc::channel();
        (Sink { written, go_on }, read, go)
    }

    #[test]
    fn lines_that_come_while_it_writes_are_written_together() {
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
    fn nothing_gathered_is_lost_at_the_end() {
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
    fn lines_without_room_are_dropped_and_nobody_waits() {
        let (sink, read, go) = sink();
        let (mut writer, guard) = start(sink).unwrap();
        writer.write_all(b"stuck\n").unwrap();
        assert_eq!(read.recv().unwrap(), "stuck\n");
        let line = vec![b'x'; MOST_BYTES / 2];
        for _ in 0..5 {
            writer.write_all(&line).unwrap();
        }
        drop(go);
        drop(guard);
        assert_eq!(read.iter().map(|text| text.len()).sum::<usize>(), MOST_BYTES);
    }
}
