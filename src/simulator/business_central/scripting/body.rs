//! The body of a response: a sequence of steps, streamed in bounded memory.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::{HeaderMap, Response, Version};

use super::response::{BodyStep, Framing, ScriptedResponse};
use crate::simulator::business_central::request_log::LogEntry;
use crate::simulator::listener::ConnectionHandle;

const ALPHABET: &[u8; 26] = b"abcdefghijklmnopqrstuvwxyz";

/// The bytes that [`BodyStep::Fill`] repeats: whole alphabets, close to 64 KiB.
static FILL_PATTERN: [u8; 26 * 2520] = {
    let mut pattern = [0; 26 * 2520];
    let mut index = 0;
    while index < pattern.len() {
        pattern[index] = ALPHABET[index % ALPHABET.len()];
        index += 1;
    }
    pattern
};

/// A body that plays its steps and logs the outcome.
pub struct ScriptedBody {
    steps: VecDeque<BodyStep>,
    /// The unsent part of the announced length, in bytes.
    announced: Option<u64>,
    trailers: Option<HeaderMap>,
    holding: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    connection: ConnectionHandle,
    /// Dropped as soon as the outcome is known.
    entry: Option<LogEntry>,
}

/// The response that plays `scripted`. A `bodiless` one, to HEAD or with 204 or 304, is complete without its body.
pub fn play(
    scripted: ScriptedResponse,
    bodiless: bool,
    connection: ConnectionHandle,
    mut entry: LogEntry,
) -> Response<ScriptedBody> {
    entry.status(scripted.status);
    if bodiless {
        entry.answered();
    }
    let body = ScriptedBody {
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

fn announced_length(steps: &[BodyStep]) -> u64 {
    let length_of = |step: &BodyStep| match step {
        BodyStep::Send(bytes) => bytes.len() as u64,
        BodyStep::Fill(length) => *length,
        BodyStep::Hold(_) => 0,
        BodyStep::Break(_, missing) => *missing,
    };
    steps.iter().map(length_of).sum()
}

impl ScriptedBody {
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

impl Body for ScriptedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        loop {
            match self.steps.front_mut() {
                Some(BodyStep::Send(bytes)) => {
                    let bytes = std::mem::take(bytes);
                    self.steps.pop_front();
                    if !bytes.is_empty() {
                        return self.data(bytes);
                    }
                }
                Some(BodyStep::Fill(left)) => {
                    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(FILL_PATTERN.len());
                    *left -= length as u64;
                    if *left == 0 {
                        self.steps.pop_front();
                    }
                    if let Some(bytes @ [_, ..]) = FILL_PATTERN.get(..length) {
                        return self.data(Bytes::from_static(bytes));
                    }
                }
                Some(BodyStep::Hold(latch)) => {
                    let latch = latch.clone();
                    let holding = self.holding.get_or_insert_with(|| Box::pin(latch.opened()));
                    ready!(holding.as_mut().poll(cx));
                    self.holding = None;
                    self.steps.pop_front();
                }
                Some(BodyStep::Break(how, _)) => {
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

    /// hyper stops polling at this point, so steps that still have an effect must keep the stream open.
    fn is_end_stream(&self) -> bool {
        let is_done = |step: &BodyStep| {
            matches!(step, BodyStep::Send(bytes) if bytes.is_empty()) || matches!(step, BodyStep::Fill(0))
        };
        self.trailers.is_none() && self.steps.iter().all(is_done)
    }

    fn size_hint(&self) -> SizeHint {
        self.announced.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for ScriptedBody {
    fn drop(&mut self) {
        if self.is_end_stream() {
            self.finish();
        }
    }
}
