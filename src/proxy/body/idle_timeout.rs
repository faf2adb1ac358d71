//! A body with an idle timeout.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use super::error::BodyError;
use crate::proxy::timer::Timer;

/// A body that fails when no data arrives for too long while it is polled.
#[derive(Debug)]
pub struct IdleTimeout<B> {
    body: B,
    idle: Duration,
    waiting_since: Option<Instant>,
    timer: Timer,
}

impl<B> IdleTimeout<B> {
    pub fn new(body: B, idle: Duration) -> Self {
        Self { body, idle, waiting_since: None, timer: Timer::default() }
    }
}

impl<B: Body<Error = hyper::Error> + Unpin> Body for IdleTimeout<B> {
    type Data = B::Data;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BodyError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            this.waiting_since = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::from)));
        }
        let since = *this.waiting_since.get_or_insert_with(Instant::now);
        ready!(this.timer.poll_until(context, since + this.idle));
        Poll::Ready(Some(Err(BodyError::Idle(this.idle))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
