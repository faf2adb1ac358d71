//! Business Central's answer on its way through: decoded where it has to be, its addresses turned where it holds any.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};

use super::gunzip::Gunzip;
use super::idle::{BodyError, IdleTimeout};
use super::links::{LinkTurner, Links};
use super::rewrite::{Address, Document, Rewriter};
use super::upstream::UpstreamBody;

/// A body from Business Central as the client gets it; data only, trailers end here: no legacy client expects any.
#[derive(Debug)]
pub struct AnswerBody {
    source: Source,
    turning: Option<Turning>,
    /// Read ahead, to know how long a small body is.
    ahead: Option<Bytes>,
    ended: bool,
}

#[derive(Debug)]
enum Source {
    AsSent(IdleTimeout<UpstreamBody>),
    Decoded(Box<Gunzip<IdleTimeout<UpstreamBody>>>),
}

/// What turns addresses, and the pieces it has done with.
struct Turning {
    rewriter: Box<Rewriter<MapAddress>>,
    pieces: Vec<Bytes>,
}

type MapAddress = Box<dyn FnMut(Address<'_>) -> Option<String> + Send + Sync>;

impl AnswerBody {
    /// `is_coded`: whether gzip is to be undone.
    pub fn new(body: IdleTimeout<UpstreamBody>, is_coded: bool) -> Self {
        let source = if is_coded { Source::Decoded(Box::new(Gunzip::new(body))) } else { Source::AsSent(body) };
        Self { source, turning: None, ahead: None, ended: false }
    }

    /// Turns the addresses in it.
    pub fn with_links(mut self, document: Document, links: Links) -> Self {
        let authorities: Vec<String> = links.authorities().into_iter().map(str::to_owned).collect();
        let authorities: Vec<&str> = authorities.iter().map(String::as_str).collect();
        let mut turner = LinkTurner::new(links);
        let map: MapAddress = Box::new(move |address| turner.turn(address.location, address.query));
        let rewriter = Box::new(Rewriter::new(document, &authorities, map));
        self.turning = Some(Turning { rewriter, pieces: Vec::new() });
        self
    }

    /// Reads ahead; `Some` is the length of the whole body, if it has at most `limit` bytes.
    pub async fn measure(&mut self, limit: usize) -> Result<Option<usize>, BodyError> {
        let mut ahead = BytesMut::new();
        while let Some(piece) = std::future::poll_fn(|context| self.poll_piece(context)).await {
            ahead.extend_from_slice(&piece?);
            if ahead.len() > limit {
                self.ahead = Some(ahead.freeze());
                return Ok(None);
            }
        }
        let length = ahead.len();
        self.ahead = Some(ahead.freeze()).filter(|ahead| !ahead.is_empty());
        Ok(Some(length))
    }

    /// Reads it to its end and puts another body in its place, whose length is returned; `None` when it has more than `limit` bytes, or is
    /// not what could be replaced.
    pub async fn replace(
        &mut self,
        limit: usize,
        replacement: impl FnOnce(&[u8]) -> Option<String>,
    ) -> Result<Option<usize>, BodyError> {
        if self.measure(limit).await?.is_none() {
            return Ok(None);
        }
        let Some(body) = replacement(self.ahead.as_deref().unwrap_or_default()) else { return Ok(None) };
        let length = body.len();
        self.ahead = Some(Bytes::from(body));
        Ok(Some(length))
    }

    /// Gathers what comes at once: many small pieces would cost the client as many chunks.
    fn poll_gathered(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if self.turning.is_none() {
            return self.poll_piece(context);
        }
        let mut gathered = BytesMut::new();
        loop {
            match self.poll_piece(context) {
                Poll::Ready(Some(Ok(piece))) if gathered.is_empty() && piece.len() >= GATHERED_BYTES => {
                    return Poll::Ready(Some(Ok(piece)));
                }
                Poll::Ready(Some(Ok(piece))) => {
                    gathered.extend_from_slice(&piece);
                    if gathered.len() >= GATHERED_BYTES {
                        return Poll::Ready(Some(Ok(gathered.freeze())));
                    }
                }
                // Nothing more, or nothing more for now: the client gets what there is.
                Poll::Ready(None) | Poll::Pending if !gathered.is_empty() => {
                    return Poll::Ready(Some(Ok(gathered.freeze())));
                }
                end => return end,
            }
        }
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            if self.ended {
                return Poll::Ready(None);
            }
            let frame = match &mut self.source {
                Source::AsSent(body) => ready!(Pin::new(body).poll_frame(context)),
                Source::Decoded(body) => ready!(Pin::new(body).poll_frame(context)),
            };
            let piece = match frame {
                Some(Ok(frame)) => match (frame.into_data(), &mut self.turning) {
                    (Err(_trailers), _) => continue,
                    (Ok(piece), None) => piece,
                    (Ok(piece), Some(turning)) => turning.turn(piece),
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    self.ended = true;
                    self.turning.as_mut().map(Turning::finish).unwrap_or_default()
                }
            };
            if !piece.is_empty() {
                return Poll::Ready(Some(Ok(piece)));
            }
        }
    }
}

impl Turning {
    fn turn(&mut self, piece: Bytes) -> Bytes {
        self.rewriter.push(piece, &mut self.pieces);
        self.joined()
    }

    fn finish(&mut self) -> Bytes {
        self.rewriter.finish(&mut self.pieces);
        self.joined()
    }

    /// One piece again: many small ones would cost the client as many chunks.
    fn joined(&mut self) -> Bytes {
        match self.pieces.as_mut_slice() {
            [] => Bytes::new(),
            [only] => {
                let only = std::mem::take(only);
                self.pieces.clear();
                only
            }
            pieces => {
                let mut joined = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
                pieces.iter().for_each(|piece| joined.extend_from_slice(piece));
                self.pieces.clear();
                joined.freeze()
            }
        }
    }
}

impl fmt::Debug for Turning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turning").finish_non_exhaustive()
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(ahead) = self.ahead.take() {
            return Poll::Ready(Some(Ok(Frame::data(ahead))));
        }
        self.poll_gathered(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        let is_at_end = match &self.source {
            Source::AsSent(body) => self.turning.is_none() && body.is_end_stream(),
            Source::Decoded(_) => false,
        };
        self.ahead.is_none() && (self.ended || is_at_end)
    }

    fn size_hint(&self) -> SizeHint {
        let ahead = self.ahead.as_ref().map_or(0, Bytes::len) as u64;
        match &self.source {
            _ if self.ended => SizeHint::with_exact(ahead),
            Source::AsSent(body) if self.turning.is_none() && ahead == 0 => body.size_hint(),
            _ => SizeHint::new(),
        }
    }
}

/// From this size on a piece of a changed body is handed on without waiting for the next.
const GATHERED_BYTES: usize = 32 * 1024;
