//! A client's body as hyper hands it over, and the draining of what nobody read.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::bounded_body::read_pieces;
use crate::proxy::downstream::client::ClientConnection;

/// A request's body. When it is dropped unread, the rest can still be drained.
#[derive(Debug)]
pub struct ClientBody {
    /// `None` once it was read to its end.
    body: Option<Incoming>,
    unread: Arc<Unread>,
}

/// Receives a body that was not read to its end.
#[derive(Debug)]
pub struct Unread {
    rest: Mutex<Option<Incoming>>,
    client: Arc<ClientConnection>,
    /// Number of the request on its connection.
    number: u32,
}

impl ClientBody {
    pub fn new(body: Incoming, number: u32, client: Arc<ClientConnection>) -> (Self, Arc<Unread>) {
        let unread = Arc::new(Unread { rest: Mutex::new(None), client, number });
        (Self { body: Some(body), unread: unread.clone() }, unread)
    }
}

impl Unread {
    /// Reads and discards the rest of the body, up to a bound. Whether the connection can be used again.
    pub async fn drain(&self, limit: Drain) -> bool {
        let Some(mut body) = self.rest.lock().ok().and_then(|mut rest| rest.take()) else { return true };
        let discard = read_pieces(&mut body, limit.bytes, |_| {});
        // A body that is too slow or too long ends the connection with our response.
        let is_drained = matches!(tokio::time::timeout(limit.time, discard).await, Ok(Ok(true)));
        if is_drained {
            self.client.body_ended(self.number);
        } else {
            self.put(body);
        }
        is_drained
    }

    fn put(&self, body: Incoming) {
        if !body.is_end_stream()
            && let Ok(mut rest) = self.rest.lock()
        {
            *rest = Some(body);
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
            self.unread.put(body);
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

/// How much of an unwanted body is read before the connection is closed instead.
#[derive(Debug, Clone, Copy)]
pub struct Drain {
    bytes: usize,
    time: Duration,
}

impl Drain {
    pub const REJECTED: Self = Self { bytes: 1024 * 1024, time: Duration::from_secs(10) };

    /// A handshake is bound to its connection, and the same body follows it: worth waiting for even on a slow line.
    pub const HANDSHAKE: Self = Self { bytes: 64 * 1024 * 1024, time: Duration::from_secs(120) };
}
