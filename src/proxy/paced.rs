//! A client's body, which must keep coming.
//!
//! A program that sends a byte now and then would hold a place at Business Central, or memory, for as long as it likes. A minimum rate (as IIS, in front of
//! which most of these programs have lived, asks for) bounds that, and a pause is no slowness yet: only what is waited for counts, and a body that
//! was fast may rest.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use super::idle::BodyError;

/// A body that fails when it comes at less than [`LEAST_RATE`] for longer than its credit lasts.
#[derive(Debug)]
pub struct Paced<B> {
    body: B,
    /// How long may be waited now. Waiting spends it, and what comes earns it.
    credit: Duration,
    most: Duration,
    waiting_since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<B> Paced<B> {
    /// `idle`: how long nothing may come at all, if that is shorter than [`LONGEST_PAUSE`].
    pub fn new(body: B, idle: Duration) -> Self {
        let most = idle.min(LONGEST_PAUSE);
        Self { body, credit: most, most, waiting_since: None, timer: None }
    }

    fn came(&mut self, bytes: usize) {
        if let Some(since) = self.waiting_since.take() {
            self.credit = self.credit.saturating_sub(since.elapsed());
        }
        let earned = Duration::from_micros((bytes as u64).saturating_mul(1_000_000) / LEAST_RATE);
        self.credit = self.credit.saturating_add(earned).min(self.most);
    }
}

impl<B: Body<Data = Bytes, Error = hyper::Error> + Unpin> Body for Paced<B> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
            this.came(data.map_or(0, Bytes::len));
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::from)));
        }
        let begins = this.waiting_since.is_none();
        let deadline = *this.waiting_since.get_or_insert_with(Instant::now) + this.credit;
        let timer = this.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if begins {
            timer.as_mut().reset(deadline);
        }
        let was_fast = this.credit == this.most;
        timer
            .as_mut()
            .poll(context)
            .map(|()| Some(Err(if was_fast { BodyError::Idle(this.most) } else { BodyError::TooSlow })))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Bytes a second; a modem of 1994 sends ten times as many.
pub const LEAST_RATE: u64 = 240;

/// How long a body that came fast enough so far may pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use tokio::sync::mpsc;

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

    /// How a body ends that comes in so many pieces of so many bytes, one after each pause, and when.
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
        let mut body = Paced::new(Drip(receiver), idle);
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
        // Of each second, 140/240 are spent.
        assert!((100..=105).contains(&took.as_secs()), "{took:?}");
        let (result, _) = end(10_000, 250, SECOND, LONG).await;
        assert_eq!(result.unwrap(), 2_500_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_allowed_to_whoever_was_fast_before() {
        let (result, _) = end(10, 20_000, 59 * SECOND, LONG).await;
        assert_eq!(result.unwrap(), 200_000);
        let (result, took) = end(10, 20_000, 61 * SECOND, LONG).await;
        assert!(matches!(result, Err(BodyError::Idle(LONGEST_PAUSE))), "{result:?}");
        assert_eq!(took.as_secs(), 60);
        let (result, took) = end(10, 20_000, 61 * SECOND, 5 * SECOND).await;
        assert!(matches!(result, Err(BodyError::Idle(_))) && took.as_secs() == 5, "{result:?} {took:?}");
    }
}
