//! An answer's body as it comes from Business Central; when it has ended, its connection and its place in the gate are free again.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::{Connection, Shared};
use crate::proxy::gate::Permit;

/// The body, and what is given back at its end.
pub struct UpstreamBody {
    body: Incoming,
    connection: Option<Connection>,
    pool: Weak<Shared>,
    permit: Option<Permit>,
    /// Read before somebody asked for it.
    ahead: Bytes,
}

impl UpstreamBody {
    pub(super) fn new(body: Incoming, connection: Connection, pool: &Arc<Shared>) -> Self {
        let mut body =
            Self { body, connection: Some(connection), pool: Arc::downgrade(pool), permit: None, ahead: Bytes::new() };
        body.give_back_at_end();
        body
    }

    /// Keeps the request's place until the last byte has come.
    pub fn hold(&mut self, permit: Option<Permit>) {
        self.permit = permit.filter(|_| !self.body.is_end_stream());
    }

    /// The whole body, if it has at most `limit` bytes and comes within `time`; it stays to be read.
    pub async fn peek(&mut self, limit: usize, time: Duration) -> Result<Option<Bytes>, hyper::Error> {
        let mut ahead = BytesMut::new();
        let read = async {
            while ahead.len() <= limit {
                match self.frame().await.transpose()? {
                    Some(frame) => ahead.extend_from_slice(frame.data_ref().map_or(&[], |piece| piece)),
                    None => return Ok::<_, hyper::Error>(true),
                }
            }
            Ok(false)
        };
        let is_whole = tokio::time::timeout(time, read).await.unwrap_or(Ok(false))?;
        self.ahead = ahead.freeze();
        Ok(is_whole.then(|| self.ahead.clone()))
    }

    fn give_back_at_end(&mut self) {
        if self.body.is_end_stream() {
            self.give_back();
        }
    }

    fn give_back(&mut self) {
        self.permit = None;
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
        if !self.ahead.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.ahead)))));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(_)) => self.give_back_at_end(),
            // A broken connection is of no use to anybody.
            Some(Err(_)) => (self.permit, self.connection) = (None, None),
            None => self.give_back(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.ahead.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.body.size_hint().exact() {
            Some(rest) => SizeHint::with_exact(rest + self.ahead.len() as u64),
            None => SizeHint::new(),
        }
    }
}

impl fmt::Debug for UpstreamBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamBody").field("body", &self.body).finish_non_exhaustive()
    }
}
