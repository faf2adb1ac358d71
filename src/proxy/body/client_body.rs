//! A client's body as hyper hands it over, and the draining of what nobody read.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::Version;
use hyper::body::Incoming;
use hyper::header::{EXPECT, HeaderValue};
use hyper::http::request::Parts;

use crate::bounded_body::read_pieces;
use crate::proxy::downstream::client::ClientConnection;

/// A request's body. When it is dropped unread, the rest can still be drained.
#[derive(Debug)]
pub struct ClientBody {
    /// `None` once it was read to its end.
    body: Option<Incoming>,
    awaits_continue: bool,
    unread: Arc<Unread>,
}

/// Receives a body that was not read to its end.
#[derive(Debug)]
pub struct Unread {
    rest: Mutex<Option<Rest>>,
    client: Arc<ClientConnection>,
    /// Number of the request on its connection.
    number: u32,
}

/// What was not read of a body.
#[derive(Debug)]
struct Rest {
    body: Incoming,
    awaits_continue: bool,
}

impl ClientBody {
    /// The body of the request with this head, and what receives its rest.
    pub fn new(body: Incoming, head: &Parts, number: u32, client: Arc<ClientConnection>) -> (Self, Arc<Unread>) {
        let unread = Arc::new(Unread { rest: Mutex::new(None), client, number });
        (Self { body: Some(body), awaits_continue: expects_continue(head), unread: unread.clone() }, unread)
    }

    /// Whether the client waits for its `100 Continue`, which hyper sends when the body is first read.
    pub fn awaits_continue(&self) -> bool {
        self.awaits_continue
    }
}

impl Unread {
    /// Reads and discards the rest of the body, up to a bound. Whether the connection can be used again.
    pub async fn drain(&self, limit: Drain) -> bool {
        let Some(mut rest) = self.rest.lock().ok().and_then(|mut rest| rest.take()) else { return true };
        if rest.awaits_continue && !limit.sends_continue {
            // The client need not send it. If it does all the same, what arrives is discarded after our response.
            self.put(rest);
            return false;
        }
        let discard = read_pieces(&mut rest.body, limit.bytes, |_| {});
        // A body that is too slow or too long ends the connection with our response.
        let is_drained = matches!(tokio::time::timeout(limit.time, discard).await, Ok(Ok(true)));
        if is_drained {
            self.client.body_ended(self.number);
        } else {
            self.put(rest);
        }
        is_drained
    }

    fn put(&self, unread: Rest) {
        if !unread.body.is_end_stream()
            && let Ok(mut rest) = self.rest.lock()
        {
            *rest = Some(unread);
        }
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        if self.rest.get_mut().is_ok_and(|rest| rest.is_some()) {
            self.client.leave_unread();
        }
    }
}

impl Drop for ClientBody {
    fn drop(&mut self) {
        if let Some(body) = self.body.take() {
            self.unread.put(Rest { body, awaits_continue: self.awaits_continue });
        }
    }
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.awaits_continue = false;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(context));
        if frame.is_none() {
            self.unread.client.body_ended(self.unread.number);
            self.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }
}

/// Whether the client sends its body only after a `100 Continue` (RFC 9110, section 10.1.1), or after a while.
fn expects_continue(head: &Parts) -> bool {
    let expects = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    head.version == Version::HTTP_11 && head.headers.get(EXPECT).is_some_and(expects)
}

/// How much of an unwanted body is read before the connection is closed instead.
#[derive(Debug, Clone, Copy)]
pub struct Drain {
    bytes: usize,
    time: Duration,
    /// Whether a client that waits for its `100 Continue` gets it, to send a body that nobody wants.
    sends_continue: bool,
}

impl Drain {
    pub const REJECTED: Self = Self { bytes: 1024 * 1024, time: Duration::from_secs(10), sends_continue: false };

    /// A handshake is bound to its connection, and the same body follows it: worth waiting for even on a slow line.
    pub const HANDSHAKE: Self = Self { bytes: 64 * 1024 * 1024, time: Duration::from_secs(120), sends_continue: true };
}
