//! A client's body with a minimum rate.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::error::BodyError;
use crate::proxy::downstream::client::min_rate::MinRate;

/// A body that fails when it arrives more slowly than its [`MinRate`] allows.
#[derive(Debug)]
pub struct MinRateBody<B> {
    body: B,
    min_rate: MinRate,
    longest_pause: Duration,
}

impl<B> MinRateBody<B> {
    /// `idle`: how long nothing may arrive, if that is shorter than [`MAX_PAUSE`].
    pub fn new(body: B, idle: Duration) -> Self {
        let longest_pause = idle.min(MAX_PAUSE);
        Self { body, min_rate: MinRate::new(longest_pause), longest_pause }
    }
}

impl<B: Body<Data = Bytes, Error = hyper::Error> + Unpin> Body for MinRateBody<B> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
            this.min_rate.moved(data.map_or(0, Bytes::len));
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::from)));
        }
        ready!(this.min_rate.poll_overdue(context));
        let was_fast = this.min_rate.was_fast();
        Poll::Ready(Some(Err(if was_fast { BodyError::Idle(this.longest_pause) } else { BodyError::TooSlow })))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// How long a body that was fast enough so far may pause.
const MAX_PAUSE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use tokio::sync::mpsc;
    use tokio::time::Instant;

    use super::*;

    /// Yields what is sent to it.
    struct Drip(mpsc::Receiver<Bytes>);

    impl Body for Drip {
        type Data = Bytes;
        type Error = hyper::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
            self.0.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
        }
    }

    /// How a body ends that arrives in `count` pieces of some bytes, one after each pause, and when.
    async fn end(pieces: usize, bytes: usize, pause: Duration, idle: Duration) -> (Result<usize, BodyError>, Duration) {
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            for _ in 0..pieces {
                tokio::time::sleep(pause).await;
                if sender.send(vec![0; bytes].into()).await.is_err() {
                    return;
                }
            }
        });
        let started = Instant::now();
        let mut body = MinRateBody::new(Drip(receiver), idle);
        let mut read = 0;
        let result = loop {
            match body.frame().await {
                Some(Ok(frame)) => read += frame.data_ref().unwrap().len(),
                Some(Err(error)) => break Err(error),
                None => break Ok(read),
            }
        };
        (result, started.elapsed())
    }

    const SECOND: Duration = Duration::from_secs(1);
    const LONG: Duration = Duration::from_secs(630);

    #[tokio::test(start_paused = true)]
    async fn a_drip_is_cut_and_a_slow_line_is_not() {
        let (result, took) = end(10_000, 100, SECOND, LONG).await;
        assert!(matches!(result, Err(BodyError::TooSlow)), "{result:?}");
        // Each second spends 140/240 of a second of credit.
        assert!((100..=105).contains(&took.as_secs()), "{took:?}");
        let (result, _) = end(10_000, 250, SECOND, LONG).await;
        assert_eq!(result.unwrap(), 2_500_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_allowed_to_whoever_was_fast_before() {
        let (result, _) = end(10, 20_000, 59 * SECOND, LONG).await;
        assert_eq!(result.unwrap(), 200_000);
        let (result, took) = end(10, 20_000, 61 * SECOND, LONG).await;
        assert!(matches!(result, Err(BodyError::Idle(MAX_PAUSE))), "{result:?}");
        assert_eq!(took.as_secs(), 60);
        let (result, took) = end(10, 20_000, 61 * SECOND, 5 * SECOND).await;
        assert!(matches!(result, Err(BodyError::Idle(_))) && took.as_secs() == 5, "{result:?} {took:?}");
    }
}
