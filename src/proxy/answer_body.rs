//! Business Central's answer on its way through: decoded where it has to be, its addresses turned where it holds any.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::gunzip::Gunzip;
use super::idle::{BodyError, IdleTimeout};
use super::links::{LinkTurner, Links};
use super::rewrite::{Document, Output, Rewriter};
use super::upstream::UpstreamBody;

/// A body from Business Central as the client gets it; data only, trailers end here: no legacy client expects any.
#[derive(Debug)]
pub struct AnswerBody {
    source: Source,
    turning: Option<Box<Turning>>,
    /// Read ahead, to know how long a small body is.
    ahead: VecDeque<Bytes>,
    ended: bool,
}

#[derive(Debug)]
enum Source {
    AsSent(IdleTimeout<UpstreamBody>),
    Decoded(Box<Gunzip<IdleTimeout<UpstreamBody>>>),
}

/// What turns addresses, and what it has done with.
struct Turning {
    rewriter: Rewriter<LinkTurner>,
    output: Output,
    /// How it ended, once nothing more comes in.
    end: Option<Result<(), BodyError>>,
}

impl AnswerBody {
    /// `is_coded`: whether gzip is to be undone.
    pub fn new(body: IdleTimeout<UpstreamBody>, is_coded: bool) -> Self {
        let source = if is_coded { Source::Decoded(Box::new(Gunzip::new(body))) } else { Source::AsSent(body) };
        Self { source, turning: None, ahead: VecDeque::new(), ended: false }
    }

    /// Turns the addresses in it.
    pub fn with_links(mut self, document: Document, links: Links) -> Self {
        let authorities: Vec<String> = links.authorities().into_iter().map(str::to_owned).collect();
        let authorities: Vec<&str> = authorities.iter().map(String::as_str).collect();
        let rewriter = Rewriter::new(document, &authorities, LinkTurner::new(links));
        self.turning = Some(Box::new(Turning { rewriter, output: Output::default(), end: None }));
        self
    }

    /// Reads ahead; `Some` is the length of the whole body, if it has at most `limit` bytes.
    pub async fn measure(&mut self, limit: usize) -> Result<Option<usize>, BodyError> {
        let mut length = 0;
        while let Some(piece) = std::future::poll_fn(|context| self.poll_piece(context)).await {
            let piece = piece?;
            length += piece.len();
            self.ahead.push_back(piece);
            if length > limit {
                return Ok(None);
            }
        }
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
        let whole = self.ahead.make_contiguous().concat();
        let Some(body) = replacement(&whole) else { return Ok(None) };
        let length = body.len();
        self.ahead = VecDeque::from([Bytes::from(body)]);
        Ok(Some(length))
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let piece = match &mut self.turning {
            Some(turning) => turning.poll_piece(&mut self.source, context),
            None => self.source.poll_piece(context),
        };
        piece.map(|piece| {
            self.ended = piece.is_none();
            piece
        })
    }
}

impl Turning {
    fn poll_piece(&mut self, source: &mut Source, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let Self { rewriter, output, end } = self;
        loop {
            if let Some(piece) = output.pop() {
                return Poll::Ready(Some(Ok(piece)));
            }
            if let Some(end) = end.take() {
                return Poll::Ready(end.err().map(Err));
            }
            match source.poll_piece(context) {
                Poll::Ready(Some(Ok(piece))) => rewriter.push(&piece, output),
                Poll::Ready(Some(Err(error))) => {
                    output.flush();
                    *end = Some(Err(error));
                }
                Poll::Ready(None) => {
                    rewriter.finish(output);
                    *end = Some(Ok(()));
                }
                Poll::Pending => {
                    // Small pieces are gathered, since each costs the client a chunk; but none waits for one that is still to come.
                    output.flush();
                    return output.pop().map_or(Poll::Pending, |piece| Poll::Ready(Some(Ok(piece))));
                }
            }
        }
    }
}

impl Source {
    /// The next piece of data.
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            let frame = match self {
                Self::AsSent(body) => ready!(Pin::new(body).poll_frame(context)),
                Self::Decoded(body) => ready!(Pin::new(body).poll_frame(context)),
            };
            match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(piece))) if !piece.is_empty() => return Poll::Ready(Some(Ok(piece))),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
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
        if let Some(ahead) = self.ahead.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(ahead))));
        }
        self.poll_piece(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        let is_at_end = match &self.source {
            Source::AsSent(body) => self.turning.is_none() && body.is_end_stream(),
            Source::Decoded(_) => false,
        };
        let is_turned = self
            .turning
            .as_ref()
            .is_some_and(|turning| matches!(turning.end, Some(Ok(()))) && turning.output.is_empty());
        self.ahead.is_empty() && (self.ended || is_at_end || is_turned)
    }

    fn size_hint(&self) -> SizeHint {
        let ahead = self.ahead.iter().map(|piece| piece.len() as u64).sum();
        match &self.source {
            _ if self.ended => SizeHint::with_exact(ahead),
            Source::AsSent(body) if self.turning.is_none() && ahead == 0 => body.size_hint(),
            _ => SizeHint::new(),
        }
    }
}
