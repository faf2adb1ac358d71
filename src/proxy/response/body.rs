//! The body of a response on its way to the client.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::{Method, Version};

use super::transformed_body::TransformedBody;
use crate::proxy::body::error::BodyError;
use crate::proxy::observe::access_log::AccessRecord;
use crate::proxy::observe::tally::Outcome;

/// A response's body on its way to the client. Its log line is written when it is dropped.
#[derive(Debug)]
pub struct ResponseBody {
    content: Content,
    record: AccessRecord,
}

impl ResponseBody {
    /// The body of a response of our own.
    pub fn local(bytes: Bytes, record: AccessRecord) -> Self {
        Self { content: Content::Local(bytes), record }
    }

    /// The body of Business Central's response. `idle`: how long the client may take nothing of it.
    pub fn upstream(body: TransformedBody, idle: Duration, record: AccessRecord) -> Self {
        Self { content: Content::Upstream { body: Box::new(body), idle }, record }
    }
}

#[derive(Debug)]
enum Content {
    Local(Bytes),
    Upstream {
        body: Box<TransformedBody>,
        /// How long the client may take nothing of it.
        idle: Duration,
    },
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Self { content, record } = &mut *self;
        let body = match content {
            Content::Local(bytes) => {
                let bytes = std::mem::take(bytes);
                record.outcome.complete_if_unfinished();
                record.bytes += bytes.len() as u64;
                return Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))));
            }
            Content::Upstream { body, .. } => body,
        };
        let client = &record.exchange.client;
        ready!(client.write_backlog.poll_capacity(context));
        // HTTP/1.0 clients may know the end of the body only by the end of the connection.
        if record.exchange.version == Version::HTTP_10 {
            client.response_begins();
        }
        match ready!(Pin::new(&mut *body).poll_frame(context)) {
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                client.write_backlog.hold(bytes);
                record.bytes += bytes as u64;
                if body.is_end_stream() {
                    record.outcome = Outcome::Complete;
                    client.response_complete();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                record.outcome = Outcome::BrokenUpstream;
                Poll::Ready(Some(Err(error)))
            }
            None => {
                record.outcome = Outcome::Complete;
                client.response_complete();
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Local(bytes) => bytes.is_empty(),
            Content::Upstream { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Local(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Upstream { body, .. } => body.size_hint(),
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        // hyper does not poll a body that is not sent.
        if self.is_end_stream() || self.record.exchange.method == Method::HEAD {
            self.record.outcome.complete_if_unfinished();
        } else if let (Some(stall), Content::Upstream { idle, .. }) =
            (self.record.exchange.client.stall.get(), &self.content)
        {
            self.record.stalled(*stall, *idle);
        }
    }
}
