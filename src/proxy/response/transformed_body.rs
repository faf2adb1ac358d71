//! A response's body on its way to the client: decompressed and rewritten where the plan says so.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::link_rewriter::LinkRewriter;
use super::links::Links;
use crate::proxy::body::error::BodyError;
use crate::proxy::body::gunzip::Gunzip;
use crate::proxy::body::idle_timeout::IdleTimeout;
use crate::proxy::rewrite::{Document, Output, Rewriter};
use crate::proxy::upstream::UpstreamBody;

/// A body from Business Central as the client gets it. Trailers are dropped: no legacy client expects any.
#[derive(Debug)]
pub struct TransformedBody {
    source: Source,
    /// Rewrites the links, if there can be any.
    rewriter: Option<Box<Rewriter<LinkRewriter>>>,
    output: Output,
    /// Whether gathered output is being forwarded.
    is_forwarding: bool,
    /// How often in a row more input was asked for and there was none.
    empty_polls: u8,
    /// Pieces read ahead, to learn the length of a small body.
    ahead: VecDeque<Bytes>,
    /// Set once no more input follows.
    end: Option<End>,
}

/// How a body ended.
#[derive(Debug)]
enum End {
    Whole,
    /// The error is returned once.
    Broken(Option<BodyError>),
}

#[derive(Debug)]
enum Source {
    AsSent(IdleTimeout<UpstreamBody>),
    Decoded(Box<Gunzip<IdleTimeout<UpstreamBody>>>),
}

impl TransformedBody {
    /// `is_coded`: whether gzip is undone.
    pub fn new(body: IdleTimeout<UpstreamBody>, is_coded: bool) -> Self {
        let source = if is_coded { Source::Decoded(Box::new(Gunzip::new(body))) } else { Source::AsSent(body) };
        Self {
            source,
            rewriter: None,
            output: Output::default(),
            is_forwarding: false,
            empty_polls: 0,
            ahead: VecDeque::new(),
            end: None,
        }
    }

    /// Rewrites the links in it.
    pub fn with_links(mut self, document: Document, links: &Links) -> Self {
        let rewriter = Rewriter::new(document, links.origins(), LinkRewriter::new(links.clone()));
        self.rewriter = Some(Box::new(rewriter));
        self
    }

    /// Reads ahead. `Some` is the length of the whole body, if it has at most `limit` bytes.
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

    /// Reads the whole body and replaces it. Returns the new length; `None` when it has more than `limit` bytes or the
    /// replacement failed.
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
        loop {
            if self.is_forwarding
                && let Some(piece) = self.output.pop()
            {
                return Poll::Ready(Some(Ok(piece)));
            }
            self.is_forwarding = false;
            match &mut self.end {
                Some(End::Whole) => return Poll::Ready(None),
                Some(End::Broken(error)) => return Poll::Ready(error.take().map(Err)),
                None => {}
            }
            ready!(self.poll_gather(context));
            self.is_forwarding = true;
        }
    }

    /// Gathers output until it is worth forwarding or no input is ready: small pieces cost the client a chunk and us a
    /// write each.
    fn poll_gather(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while !self.output.is_full() {
            match self.source.poll_piece(context) {
                Poll::Ready(Some(Ok(piece))) => {
                    self.empty_polls = 0;
                    match &mut self.rewriter {
                        Some(rewriter) => rewriter.push(&piece, &mut self.output),
                        None => self.output.append(&piece),
                    }
                    if !self.source.is_at_end() {
                        continue;
                    }
                    self.end(End::Whole);
                }
                Poll::Ready(Some(Err(error))) => self.end(End::Broken(Some(error))),
                Poll::Ready(None) => self.end(End::Whole),
                Poll::Pending if self.output.is_empty() => return Poll::Pending,
                // The connection's task may be about to deliver the next piece: it runs first, then we poll again.
                Poll::Pending if self.empty_polls < MAX_EMPTY_POLLS => {
                    self.empty_polls += 1;
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                // A piece does not wait for one that is still to arrive.
                Poll::Pending => self.output.flush(),
            }
            break;
        }
        Poll::Ready(())
    }

    fn end(&mut self, end: End) {
        match (&end, &mut self.rewriter) {
            (End::Whole, Some(rewriter)) => rewriter.finish(&mut self.output),
            _ => self.output.flush(),
        }
        self.end = Some(end);
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

    /// Whether it is known without polling that nothing more follows.
    fn is_at_end(&self) -> bool {
        match self {
            Self::AsSent(body) => body.is_end_stream(),
            Self::Decoded(_) => false,
        }
    }
}

impl Body for TransformedBody {
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
        let nothing_comes = match self.end {
            Some(End::Whole) => true,
            Some(End::Broken(_)) => false,
            None => self.rewriter.is_none() && self.source.is_at_end(),
        };
        self.ahead.is_empty() && self.output.is_empty() && nothing_comes
    }

    fn size_hint(&self) -> SizeHint {
        let read = self.ahead.iter().map(Bytes::len).sum::<usize>() + self.output.len();
        match (&self.source, &self.end) {
            (_, Some(End::Whole)) => SizeHint::with_exact(read as u64),
            (Source::AsSent(body), None) if self.rewriter.is_none() => match body.size_hint().exact() {
                Some(rest) => SizeHint::with_exact(read as u64 + rest),
                None => SizeHint::new(),
            },
            _ => SizeHint::new(),
        }
    }
}

/// How often in a row no input may be ready before the gathered output is forwarded. hyper polls twice per wake-up; in
/// between, the
/// other connection's task has to run.
const MAX_EMPTY_POLLS: u8 = 2;
