//! What hyper reads and writes: a client's requests with their first lines repaired, one at a time.
//!
//! hyper is the only one who knows how long a request is. This stream hands it a whole head and nothing more, hears from the service how
//! far the body goes, and so knows where the next head begins without reading a length itself. Where that can't be known, because a body
//! of unknown length was given up, bytes pass as they are, and hyper refuses what it can't read.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use hyper::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tokio_util::io::poll_read_buf;

use super::connection::{ClientConnection, Extent};
use super::head::end_of_head;
use super::readable::Readable;
use super::{request_line, unreadable};
use crate::proxy::timer::Timer;

/// A client's stream, as hyper uses it.
pub struct RequestStream<S> {
    inner: S,
    connection: Arc<ClientConnection>,
    phase: Phase,
    /// Read, and not handed over yet; while a head is handed over, all of it.
    held: BytesMut,
    /// When the phase began, if it is one that may not last for ever.
    since: Instant,
    timer: Timer,
    /// Whether hyper has more to write than it wrote.
    is_writing: bool,
    /// Goes out in place of what hyper writes.
    own_answer: Option<Bytes>,
}

/// Where in a request the stream is.
#[derive(Debug, Clone, Copy)]
enum Phase {
    /// No byte of the next head has come.
    Between,
    /// A head has begun; its end was not found before this place.
    Collecting { searched: usize },
    /// hyper gets the head, the first bytes of what is held; `number` is the one its request will have.
    Handing { head: usize, given: usize, number: u32 },
    /// So much of the body is still to come.
    Body { left: u64 },
    /// The body's end is the service's to tell.
    Chunked { number: u32, end: ChunkedEnd },
    /// Nobody knows any more where a head begins.
    Unattributed,
}

/// Keeps hyper from reading past a chunked body: what may be the last chunk goes to it byte by byte, so that it stops in time.
#[derive(Debug, Clone, Copy)]
struct ChunkedEnd {
    /// The last byte handed over ended a line.
    at_line_start: bool,
    caution: Caution,
}

/// How much of what was handed over may have been the last chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caution {
    None,
    /// The beginning of its size, which is nothing but zeros.
    Size,
    /// All of its size: an extension and trailers may follow, until an empty line.
    Rest,
}

impl<S> RequestStream<S> {
    pub fn new(inner: S, connection: Arc<ClientConnection>) -> Self {
        Self {
            inner,
            connection,
            phase: Phase::Between,
            held: BytesMut::new(),
            since: Instant::now(),
            timer: Timer::default(),
            is_writing: false,
            own_answer: None,
        }
    }

    /// hyper does not know the head it was given, and no service was asked: what it writes is a refusal.
    fn is_refused(&self) -> bool {
        match self.phase {
            Phase::Handing { number, .. } => self.connection.latest().0 != number,
            _ => false,
        }
    }

    /// Turns hyper's silent refusal into one that says why.
    fn refuse(&mut self, hypers: &[u8]) {
        let status = hypers.get(9..12).and_then(|digits| StatusCode::from_bytes(digits).ok());
        let head = match self.phase {
            Phase::Handing { head, .. } => self.held.get(..head).unwrap_or_default(),
            _ => &[],
        };
        let reason = match self.connection.unreadable() {
            Some(reason) => reason,
            None => unreadable::diagnose(head),
        };
        self.connection.is_unreadable(reason);
        // Unread bytes of the request would reset the connection before the answer is read.
        self.connection.stays_unread();
        self.own_answer = Some(unreadable::answer(status.unwrap_or(StatusCode::BAD_REQUEST), head, reason).into());
    }

    /// A head is complete: its first line is made fit for hyper.
    fn begin_handing(&mut self, mut head: usize) {
        let end = memchr::memchr(b'\n', &self.held).unwrap_or(head);
        let line = self.held.get(..end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let (old, repaired) = (line.len(), request_line::repaired(line));
        if let Some(repaired) = repaired {
            let rest = self.held.split_off(old);
            head = head - old + repaired.len();
            self.held = BytesMut::with_capacity(repaired.len() + rest.len());
            self.held.extend_from_slice(&repaired);
            self.held.extend_from_slice(&rest);
        }
        let number = self.connection.latest().0.wrapping_add(1);
        self.phase = Phase::Handing { head, given: 0, number };
    }

    /// Has hyper refuse what has come of a head.
    fn give_up_head(&mut self, reason: &'static str) {
        self.connection.is_unreadable(reason);
        let number = self.connection.latest().0.wrapping_add(1);
        self.held.clear();
        self.held.extend_from_slice(UNREADABLE);
        self.phase = Phase::Handing { head: UNREADABLE.len(), given: 0, number };
    }

    fn begin_waiting(&mut self) {
        self.phase = Phase::Between;
        self.since = Instant::now();
    }
}

impl<S: AsyncRead + Unpin> RequestStream<S> {
    /// Reads more into what is held.
    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.held.reserve(READ_BYTES);
        poll_read_buf(Pin::new(&mut self.inner), context, &mut self.held)
    }

    /// As before, until so much time has passed since the phase began; then there is none.
    fn poll_more_in_time(&mut self, context: &mut Context<'_>, time: Duration) -> Poll<io::Result<Option<usize>>> {
        if let Poll::Ready(result) = self.poll_more(context) {
            return Poll::Ready(result.map(Some));
        }
        self.timer.poll_until(context, self.since + time).map(|()| Ok(None))
    }

    /// Waits for the first byte of the next head; a connection on which none comes for a while rests.
    fn poll_first(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            match ready!(self.poll_more_in_time(context, REST_AFTER))? {
                Some(count) => return Poll::Ready(Ok(count)),
                None if self.is_writing => self.since = Instant::now(),
                None => {
                    self.connection.rests(true);
                    return Poll::Pending;
                }
            }
        }
    }

    /// Hands over from what is held, or straight from the client where it may go as it is.
    fn poll_pass(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
        limit: u64,
    ) -> Poll<io::Result<usize>> {
        if self.held.is_empty() {
            if limit >= buffer.remaining() as u64 {
                let before = buffer.filled().len();
                ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
                return Poll::Ready(Ok(buffer.filled().len() - before));
            }
            if ready!(self.poll_more(context))? == 0 {
                return Poll::Ready(Ok(0));
            }
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let count = self.held.len().min(buffer.remaining()).min(limit);
        buffer.put_slice(self.held.get(..count).unwrap_or_default());
        self.held.advance(count);
        Poll::Ready(Ok(count))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for RequestStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            match this.phase {
                Phase::Between => {
                    // Some old clients end a body with a line too many (RFC 9112, section 2.2).
                    let blank = this.held.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
                    this.held.advance(blank);
                    if this.held.is_empty() && ready!(this.poll_first(context))? == 0 {
                        return Poll::Ready(Ok(()));
                    }
                    if this.held.iter().any(|byte| !matches!(byte, b'\r' | b'\n')) {
                        this.since = Instant::now();
                        this.phase = Phase::Collecting { searched: 0 };
                    }
                }
                Phase::Collecting { searched } => {
                    let blank = this.held.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
                    this.held.advance(blank);
                    if this.held.starts_with(TLS_HANDSHAKE) {
                        this.give_up_head(IS_TLS);
                    } else if let Some(head) = end_of_head(&this.held, searched.saturating_sub(blank)) {
                        this.begin_handing(head);
                    } else if this.held.len() > LONGEST_HEAD {
                        this.give_up_head(TOO_LONG);
                    } else {
                        // The last three bytes may be the beginning of its end.
                        this.phase = Phase::Collecting { searched: this.held.len().saturating_sub(3) };
                        if ready!(this.poll_more_in_time(context, HEAD_TIME))?.is_none_or(|count| count == 0) {
                            return Poll::Ready(Ok(()));
                        }
                    }
                }
                Phase::Handing { head, given, number } if given < head => {
                    let count = (head - given).min(buffer.remaining());
                    buffer.put_slice(this.held.get(given..given + count).unwrap_or_default());
                    this.phase = Phase::Handing { head, given: given + count, number };
                    return Poll::Ready(Ok(()));
                }
                Phase::Handing { head, number, .. } => {
                    let (latest, extent) = this.connection.latest();
                    if latest != number {
                        // hyper and this stream don't agree on where the head ends.
                        return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
                    }
                    this.held.advance(head);
                    match extent {
                        Extent::Exactly(0) => this.begin_waiting(),
                        Extent::Exactly(left) => this.phase = Phase::Body { left },
                        Extent::Unknown => this.phase = Phase::Chunked { number, end: ChunkedEnd::begin() },
                    }
                }
                Phase::Body { left: 0 } => this.begin_waiting(),
                Phase::Body { left } => {
                    let count = ready!(this.poll_pass(context, buffer, left))?;
                    this.phase = Phase::Body { left: left.saturating_sub(count as u64) };
                    return Poll::Ready(Ok(()));
                }
                Phase::Chunked { number, .. } if this.connection.has_ended(number) => this.begin_waiting(),
                Phase::Chunked { number, .. } if this.connection.latest().0 != number => {
                    this.phase = Phase::Unattributed;
                }
                Phase::Chunked { number, mut end } => {
                    if this.held.is_empty() && ready!(this.poll_more(context))? == 0 {
                        return Poll::Ready(Ok(()));
                    }
                    let count = end.hand_over(&this.held, buffer.remaining());
                    buffer.put_slice(this.held.get(..count).unwrap_or_default());
                    this.held.advance(count);
                    this.phase = Phase::Chunked { number, end };
                    return Poll::Ready(Ok(()));
                }
                Phase::Unattributed => {
                    ready!(this.poll_pass(context, buffer, u64::MAX))?;
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl<S: Readable> RequestStream<S> {
    /// Waits, without a buffer or anything else, until there is something to read; false when there was nothing for so long a time,
    /// counted from the last request's end.
    pub async fn readable(&mut self, time: Duration) -> bool {
        self.held = BytesMut::new();
        self.timer = Timer::default();
        let readable = std::future::poll_fn(|context| self.inner.poll_readable(context));
        let is_readable = tokio::time::timeout_at(self.since + time, readable).await.is_ok();
        self.connection.rests(false);
        self.since = Instant::now();
        is_readable
    }
}

impl<S: AsyncWrite + Unpin> RequestStream<S> {
    fn poll_own_answer(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(answer) = self.own_answer.as_mut().filter(|answer| answer.has_remaining()) {
            let written = ready!(Pin::new(&mut self.inner).poll_write(context, answer))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            answer.advance(written);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for RequestStream<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.is_writing = true;
        if self.own_answer.is_none() && self.is_refused() {
            self.refuse(slices.first().map(|slice| &**slice).unwrap_or_default());
        }
        if self.own_answer.is_some() {
            ready!(self.poll_own_answer(context))?;
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        let written = ready!(Pin::new(&mut self.inner).poll_write_vectored(context, slices))?;
        self.connection.write_backlog.take(written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    /// hyper flushes when everything it was handed over is written.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.inner).poll_flush(context))?;
        self.is_writing = false;
        self.connection.write_backlog.take_all();
        self.connection.is_written();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

impl ChunkedEnd {
    fn begin() -> Self {
        Self { at_line_start: true, caution: Caution::None }
    }

    /// How many of these bytes may be handed over at once.
    fn hand_over(&mut self, bytes: &[u8], room: usize) -> usize {
        let bytes = bytes.get(..room).unwrap_or(bytes);
        let count = self.next_piece(bytes);
        if let Some((&last, before)) = bytes.get(..count).and_then(<[u8]>::split_last) {
            let ends_empty_line = last == b'\n' && self.at_line_start && before.is_empty();
            self.caution = match (self.caution, last) {
                (Caution::Size, b'0' | b' ' | b'\t' | b'\r') => Caution::Size,
                (Caution::Size, b';' | b'\n') => Caution::Rest,
                (Caution::Rest, _) if !ends_empty_line => Caution::Rest,
                _ => Caution::None,
            };
            self.at_line_start = match last {
                b'\n' => true,
                b'\r' if self.caution != Caution::None => self.at_line_start,
                _ => false,
            };
        }
        count
    }

    fn next_piece(&mut self, bytes: &[u8]) -> usize {
        if self.caution != Caution::None {
            return 1;
        }
        if self.at_line_start && bytes.first() == Some(&b'0') {
            self.caution = Caution::Size;
            return 1;
        }
        memchr::memmem::find(bytes, b"\n0").map_or(bytes.len(), |at| at + 1)
    }
}

/// A legacy client keeps its connection for minutes between two calls, and so do thousands of them: hyper's state and buffers need not.
const REST_AFTER: Duration = Duration::from_millis(100);

/// From a head's first byte to its last.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// A Kerberos ticket with many groups takes 64 KiB in base64; the rest is for what else stands in a head.
const LONGEST_HEAD: usize = 128 * 1024;

const READ_BYTES: usize = 4096;

/// How every TLS connection begins: a record with a handshake in it, version 3 (RFC 8446, section 5.1).
const TLS_HANDSHAKE: &[u8] = &[0x16, 3];

const IS_TLS: &str = "the program speaks HTTPS on a port for plain HTTP; write http:// into its base address, or give the port a certificate \
     (`tls` of `listen` in proxy.yaml)";

const TOO_LONG: &str = "its headers take more than 128 KiB";

/// A head that hyper refuses.
const UNREADABLE: &[u8] = b"\0\r\n\r\n";

#[cfg(test)]
mod tests;
