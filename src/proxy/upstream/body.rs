//! A response's body as it comes from Business Central, or from the cache. Its end releases the connection and whatever
//! the request holds.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::pool::{Connection, Pool};

/// Something a request holds until the last byte of its response has arrived. It is dropped when the body ends, in
/// whatever way.
pub trait HeldUntilEnd: Send + Sync + 'static {
    /// The body has arrived in full.
    fn completed(&mut self) {}
}

/// The body, and what is released at its end.
pub struct UpstreamBody {
    /// `None` when all of it is in `ahead`.
    body: Option<Incoming>,
    connection: Option<Connection>,
    pool: Weak<Pool>,
    /// What the request holds until the last byte has arrived: a limiter's permit, a change.
    held: Vec<Box<dyn HeldUntilEnd>>,
    /// Read ahead of the client.
    ahead: VecDeque<Bytes>,
}

impl UpstreamBody {
    pub(super) fn new(body: Incoming, connection: Connection, pool: &Arc<Pool>) -> Self {
        let mut body = Self {
            body: Some(body),
            connection: Some(connection),
            pool: Arc::downgrade(pool),
            held: Vec::new(),
            ahead: VecDeque::new(),
        };
        body.release_at_end();
        body
    }

    /// A body in memory.
    pub fn buffered(bytes: Bytes) -> Self {
        let ahead = Some(bytes).filter(|bytes| !bytes.is_empty()).into_iter().collect();
        Self { body: None, connection: None, pool: Weak::new(), held: Vec::new(), ahead }
    }

    /// Holds something until the last byte has arrived; a body that has arrived releases it at once.
    pub fn hold(&mut self, mut held: impl HeldUntilEnd) {
        if self.has_arrived() {
            held.completed();
        } else {
            self.held.push(Box::new(held));
        }
    }

    /// Reads ahead, up to `limit` bytes and the rest of a piece, for at most `time`. Whether that is the whole body.
    pub async fn read_ahead(&mut self, limit: usize, time: Duration) -> Result<bool, hyper::Error> {
        let mut ahead = VecDeque::new();
        let read = async {
            let mut length = 0;
            while length <= limit {
                let Some(frame) = self.frame().await.transpose()? else { return Ok(true) };
                if let Ok(piece) = frame.into_data() {
                    length += piece.len();
                    ahead.push_back(piece);
                }
                if self.is_end_stream() {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        let is_whole = tokio::time::timeout(time, read).await.unwrap_or(Ok(false));
        self.ahead = ahead;
        is_whole
    }

    /// What was read ahead and is still to be read.
    pub fn ahead(&self) -> impl Iterator<Item = &Bytes> {
        self.ahead.iter()
    }

    /// Whether the last byte has arrived.
    pub fn has_arrived(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn release_at_end(&mut self) {
        if self.has_arrived() {
            self.release();
        }
    }

    fn release(&mut self) {
        for mut held in self.held.drain(..) {
            held.completed();
        }
        if let (Some(connection), Some(pool)) = (self.connection.take(), self.pool.upgrade()) {
            pool.put_back(connection);
        }
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Some(piece) = self.ahead.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(context));
        match &frame {
            Some(Ok(_)) => self.release_at_end(),
            // A broken connection is of no use to anybody.
            Some(Err(_)) => {
                self.held.clear();
                self.connection = None;
            }
            None => self.release(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.ahead.is_empty() && self.has_arrived()
    }

    fn size_hint(&self) -> SizeHint {
        match self.body.as_ref().map_or(Some(0), |body| body.size_hint().exact()) {
            Some(rest) => SizeHint::with_exact(rest + self.ahead().map(|piece| piece.len() as u64).sum::<u64>()),
            None => SizeHint::new(),
        }
    }
}

impl fmt::Debug for UpstreamBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamBody").field("body", &self.body).finish_non_exhaustive()
    }
}
