//! What hyper reads and writes: a client's requests with repaired request lines, one at a time.
//!
//! hyper alone knows how long a request is. This stream hands it one whole head and nothing more. The service tells the
//! stream how
//! far the body goes, so it knows where the next head begins without reading a length itself. Where that can't be
//! known, because a body
//! of unknown length was abandoned, bytes pass unchanged, and hyper rejects what it can't parse.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use hyper::StatusCode;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio::time::Instant;
use tokio_util::io::poll_read_buf;

use super::chunked_end::ChunkedEnd;
use super::connection::ClientConnection;
use super::head::{Framing, HeadScan};
use super::request_line;
use super::unparsable::IS_TLS;
use crate::proxy::budgets::fair_budget::Held;
use crate::proxy::header_case::CasedHead;
use crate::proxy::timer::Timer;

/// A client's stream, as hyper uses it.
pub struct RequestStream<S> {
    inner: S,
    connection: Arc<ClientConnection>,
    phase: Phase,
    /// Bytes read and not handed over yet; while a head is handed over, all of it.
    held: BytesMut,
    /// The memory for a large head, until the next one.
    head_memory: Option<Held>,
    /// When the phase began, if it has a time limit.
    since: Instant,
    timer: Timer,
    /// Whether hyper has more to write.
    is_writing: bool,
    /// The head of the response that hyper writes.
    head: CasedHead,
    /// Sent in place of what hyper writes.
    own_response: Option<Bytes>,
}

/// The position in a request.
#[derive(Debug, Clone, Copy)]
enum Phase {
    /// No byte of the next head has arrived, only so many bytes of empty lines.
    Between { blank: usize },
    /// A head has begun.
    Collecting { scan: HeadScan },
    /// hyper gets the head, the first bytes of what is held; `number` is the one its request will have.
    Handing { head: usize, given: usize, number: u32 },
    /// This much of the body is still to come.
    Body { left: u64 },
    /// The service will tell where the body ends.
    Chunked { number: u32, end: ChunkedEnd },
    /// It is not known where a head begins.
    Unattributed,
}

impl<S> RequestStream<S> {
    /// The stream over this socket, for this connection.
    pub fn new(inner: S, connection: Arc<ClientConnection>) -> Self {
        Self {
            inner,
            connection,
            phase: Phase::Between { blank: 0 },
            held: BytesMut::new(),
            head_memory: None,
            since: Instant::now(),
            timer: Timer::default(),
            is_writing: false,
            head: CasedHead::default(),
            own_response: None,
        }
    }

    /// Its connection.
    pub fn connection(&self) -> &Arc<ClientConnection> {
        &self.connection
    }

    fn begin_waiting(&mut self) {
        self.phase = Phase::Between { blank: 0 };
        self.head_memory = None;
        self.since = Instant::now();
    }
}

impl<S: AsyncRead + Unpin> RequestStream<S> {
    /// Reads more into what is held.
    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.held.reserve(READ_BYTES);
        poll_read_buf(Pin::new(&mut self.inner), context, &mut self.held)
    }

    /// The same, until the phase has lasted for this time; then nothing is read.
    fn poll_more_in_time(&mut self, context: &mut Context<'_>, time: Duration) -> Poll<io::Result<Option<usize>>> {
        if let Poll::Ready(result) = self.poll_more(context) {
            return Poll::Ready(result.map(Some));
        }
        self.timer.poll_until(context, self.since + time).map(|()| Ok(None))
    }

    /// Waits for the first byte of the next head. A connection on which none comes for a while is idle.
    fn poll_first(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            match ready!(self.poll_more_in_time(context, IDLE_AFTER))? {
                Some(count) => return Poll::Ready(Ok(count)),
                None if self.is_writing => self.since = Instant::now(),
                None => {
                    self.connection.set_idle(true);
                    return Poll::Pending;
                }
            }
        }
    }

    /// Hands over what is held, or reads directly from the client where that is safe.
    fn poll_pass(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
        limit: u64,
    ) -> Poll<io::Result<usize>> {
        if self.held.is_empty() {
            if limit >= buffer.remaining() as u64 {
                let most = match self.connection.memory.budget().is_half_used() {
                    true => SCARCE_PASS_BYTES,
                    false => PASS_BYTES,
                };
                let before = buffer.filled().len();
                ready!(Pin::new(&mut (&mut self.inner).take(most)).poll_read(context, buffer))?;
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
                Phase::Between { blank } => {
                    // Some old clients end a body with an extra line (RFC 9112, section 2.2).
                    let count = this.held.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
                    this.held.advance(count);
                    this.phase = Phase::Between { blank: blank + count };
                    if blank + count > MAX_BLANK_BYTES {
                        return Poll::Ready(Ok(()));
                    } else if !this.held.is_empty() {
                        this.since = Instant::now();
                        this.phase = Phase::Collecting { scan: HeadScan::default() };
                    } else if ready!(this.poll_first(context))? == 0 {
                        return Poll::Ready(Ok(()));
                    }
                }
                Phase::Collecting { mut scan } => {
                    if this.held.starts_with(TLS_HANDSHAKE) {
                        this.give_up_head(StatusCode::BAD_REQUEST, IS_TLS);
                    } else if let Some(head) = scan.end(&this.held) {
                        this.begin_handing(head, scan.framing());
                    } else if this.held.len() > MAX_HEAD_BYTES {
                        this.give_up_head(StatusCode::BAD_REQUEST, HEAD_TOO_LONG);
                    } else if !this.has_memory() {
                        this.give_up_head(StatusCode::SERVICE_UNAVAILABLE, collected::MEMORY_FULL);
                    } else {
                        this.phase = Phase::Collecting { scan };
                        if ready!(this.poll_more_in_time(context, HEAD_TIMEOUT))?.is_none_or(|count| count == 0) {
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
                    if this.connection.requests() != number {
                        // hyper and this stream disagree on where the head ends.
                        return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
                    }
                    this.held.advance(head);
                    this.phase = match this.connection.body_length() {
                        Some(left) => Phase::Body { left },
                        None => Phase::Chunked { number, end: ChunkedEnd::begin() },
                    };
                }
                Phase::Body { left: 0 } => this.begin_waiting(),
                Phase::Body { left } => {
                    let count = ready!(this.poll_pass(context, buffer, left))?;
                    this.phase = Phase::Body { left: left.saturating_sub(count as u64) };
                    return Poll::Ready(Ok(()));
                }
                Phase::Chunked { number, .. } if this.connection.has_ended(number) => this.begin_waiting(),
                Phase::Chunked { number, .. } if this.connection.requests() != number => {
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

/// A legacy client keeps its connection for minutes between two calls, and so do thousands of them: hyper's state and
/// buffers are released.
const IDLE_AFTER: Duration = Duration::from_millis(100);

/// From a head's first byte to its last.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// A Kerberos ticket with many groups takes 64 KiB in base64; the rest is for everything else in a head.
const MAX_HEAD_BYTES: usize = 128 * 1024;

const READ_BYTES: usize = 4096;

/// Bytes of a body that hyper gets at once. Its buffer grows with them, and each upload has one.
const PASS_BYTES: u64 = 64 * 1024;

/// The same while half of the memory for clients is used.
const SCARCE_PASS_BYTES: u64 = 8 * 1024;

/// The beginning of every TLS connection: a handshake record of version 3 (RFC 8446, section 5.1).
const TLS_HANDSHAKE: &[u8] = &[0x16, 3];

const HEAD_TOO_LONG: &str = "its headers are larger than 128 KiB";

/// Empty lines before a request line. A client that sends more of them sends no request.
const MAX_BLANK_BYTES: usize = 1024;

mod collected;
mod idle;
#[cfg(test)]
mod tests;
mod write;
