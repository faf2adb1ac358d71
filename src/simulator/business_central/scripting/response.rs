//! The parts of a scripted response.

use bytes::Bytes;
use hyper::{HeaderMap, Response, StatusCode};

use crate::simulator::latch::Latch;
use crate::simulator::listener::Break;

/// How the client recognizes the end of a scripted body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// `Content-Length`: the sum of all [`send`](super::Script::send) and [`fill`](super::Script::fill) steps, plus one
    /// for a step
    /// that breaks the response off.
    ContentLength,
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// The end of the connection; the status line says HTTP/1.0.
    Close,
}

/// A step of a scripted body.
#[derive(Debug, Clone)]
pub(super) enum BodyStep {
    Send(Bytes),
    Fill(u64),
    Hold(Latch),
    /// Breaks the connection off; so many announced bytes are never sent.
    Break(Break, u64),
}

/// A whole response.
#[derive(Debug, Clone)]
pub struct ScriptedResponse {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub framing: Framing,
    pub(super) steps: Vec<BodyStep>,
    pub trailers: HeaderMap,
}

impl ScriptedResponse {
    /// An ordinary response, cut off after `cut_after` bytes if given.
    pub fn ordinary(response: Response<Bytes>, cut_after: Option<usize>) -> Self {
        let (head, mut body) = response.into_parts();
        let length = cut_after.unwrap_or(usize::MAX);
        let steps = if length < body.len() {
            let missing = body.split_off(length).len() as u64;
            vec![BodyStep::Send(body), BodyStep::Break(Break::Cut, missing)]
        } else {
            vec![BodyStep::Send(body)]
        };
        let (framing, trailers) = (Framing::ContentLength, HeaderMap::new());
        Self { status: head.status, headers: head.headers, framing, steps, trailers }
    }
}
