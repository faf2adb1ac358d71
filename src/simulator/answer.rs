//! The body of an answer: a sequence of steps, streamed in bounded memory.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::{HeaderMap, Response, Version};

use super::listener::Connection;
use super::record::Entry;
use super::script::{Framing, Scripted, Step};

const ALPHABET: &[u8; 26] = b"abcdefghijklmnopqrstuvwxyz";

/// What [`Step::Fill`] sends again and again: whole alphabets, close to 64 KiB of them.
static FILLING: [u8; 26 * 2520] = {
    let mut filling = [0; 26 * 2520];
    let mut index = 0;
    while index < filling.len() {
        filling[index] = ALPHABET[index % ALPHABET.len()];
        index += 1;
    }
    filling
};

/// A body that plays its steps and tells the record how it ended.
pub(super) struct AnswerBody {
    steps: VecDeque<Step>,
    /// What is left of the announced length, in bytes.
    announced: Option<u64>,
    trailers: Option<HeaderMap>,
    holding: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    connection: Connection,
    /// Given up as soon as the outcome is known.
    entry: Option<Entry>,
}

/// The answer that plays `scripted`. HTTP sends no body after HEAD, 204 and 304, so that none has to be played then.
pub(super) fn play(
    scripted: Scripted,
    bodiless: bool,
    connection: Connection,
    mut entry: Entry,
) -> Response<AnswerBody> {
    entry.status(scripted.status);
    if bodiless {
        entry.answered();
    }
    let body = AnswerBody {
        announced: (scripted.framing == Framing::ContentLength).then(|| announced_length(&scripted.steps)),
        steps: scripted.steps.into(),
        trailers: Some(scripted.trailers).filter(|trailers| !trailers.is_empty()),
        holding: None,
        connection,
        entry: Some(entry),
    };
    let mut response = Response::new(body);
    *response.status_mut() = scripted.status;
    *response.headers_mut() = scripted.headers;
    if scripted.framing == Framing::Close {
        *response.version_mut() = Version::HTTP_10;
    }
    response
}

fn announced_length(steps: &[Step]) -> u64 {
    let length_of = |step: &Step| match step {
        Step::Send(bytes) => bytes.len() as u64,
        Step::Fill(length) => *length,
        Step::Hold(_) => 0,
        Step::Break(_, missing) => *missing,
    };
    steps.iter().map(length_of).sum()
}

impl AnswerBody {
    fn data(&mut self, bytes: Bytes) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(announced) = &mut self.announced {
            *announced = announced.saturating_sub(bytes.len() as u64);
        }
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn finish(&mut self) {
        if let Some(mut entry) = self.entry.take() {
            entry.answered();
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        loop {
            match self.steps.front_mut() {
                Some(Step::Send(bytes)) => {
                    let bytes = std::mem::take(bytes);
                    self.steps.pop_front();
                    if !bytes.is_empty() {
                        return self.data(bytes);
                    }
                }
                Some(Step::Fill(left)) => {
                    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(FILLING.len());
                    *left -= length as u64;
                    if *left == 0 {
                        self.steps.pop_front();
                    }
                    if let Some(filling @ [_, ..]) = FILLING.get(..length) {
                        return self.data(Bytes::from_static(filling));
                    }
                }
                Some(Step::Hold(latch)) => {
                    let latch = latch.clone();
                    let holding = self.holding.get_or_insert_with(|| Box::pin(latch.opened()));
                    ready!(holding.as_mut().poll(cx));
                    self.holding = None;
                    self.steps.pop_front();
                }
                Some(Step::Break(how, _)) => {
                    let how = *how;
                    self.connection.request_break(how);
                    return Poll::Pending;
                }
                None => {
                    self.finish();
                    return Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
                }
            }
        }
    }

    /// hyper stops asking here, so what still has an effect must keep the stream open.
    fn is_end_stream(&self) -> bool {
        let is_over =
            |step: &Step| matches!(step, Step::Send(bytes) if bytes.is_empty()) || matches!(step, Step::Fill(0));
        self.trailers.is_none() && self.steps.iter().all(is_over)
    }

    fn size_hint(&self) -> SizeHint {
        self.announced.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        if self.is_end_stream() {
            self.finish();
        }
    }
}
