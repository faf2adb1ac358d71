//! What hyper writes, or a rejection in its place.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use hyper::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite};

use super::super::unparsable::{self, Unparsable};
use super::{Phase, RequestStream};
use crate::proxy::header_case;

impl<S> RequestStream<S> {
    /// hyper could not parse the head it was given, and no service was called: it writes a rejection.
    fn is_rejected(&self) -> bool {
        matches!(self.phase, Phase::Handing { number, .. } if self.connection.requests() != number)
    }

    /// Replaces hyper's empty rejection by one that says why.
    fn reject(&mut self, hypers: &[u8]) {
        let status = || hypers.get(9..12).and_then(|digits| StatusCode::from_bytes(digits).ok());
        let head = match self.phase {
            Phase::Handing { head, .. } => self.held.get(..head).unwrap_or_default(),
            _ => &[],
        };
        let unparsable = *self.connection.unparsable.get_or_init(|| {
            let status = status().unwrap_or(StatusCode::BAD_REQUEST);
            Unparsable { status, reason: unparsable::diagnose(head) }
        });
        // Unread bytes of the request would reset the connection before the response is read.
        self.connection.leave_unread();
        self.own_response = Some(unparsable::response(unparsable, head).into());
    }
}

impl<S: AsyncWrite + Unpin> RequestStream<S> {
    fn poll_own_response(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(response) = self.own_response.as_mut().filter(|response| response.has_remaining()) {
            let written = ready!(Pin::new(&mut self.inner).poll_write(context, response))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            response.advance(written);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for RequestStream<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.is_writing = true;
        if self.own_response.is_none() && self.is_rejected() {
            self.reject(slices.first().map(|slice| &**slice).unwrap_or_default());
        }
        if self.own_response.is_some() {
            ready!(self.poll_own_response(context))?;
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        if self.connection.takes_head() {
            self.head.begin(slices, header_case::as_iis);
        }
        let Self { inner, head, .. } = &mut *self;
        let written = ready!(head.poll_write(slices, |slices| Pin::new(inner).poll_write_vectored(context, slices)))?;
        self.connection.write_backlog.take(written);
        Poll::Ready(Ok(written))
    }

    /// Both kinds of socket do, and `CasedHead` requires it.
    fn is_write_vectored(&self) -> bool {
        true
    }

    /// hyper flushes when everything it was handed is written.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.inner).poll_flush(context))?;
        self.is_writing = false;
        self.connection.write_backlog.clear();
        self.connection.is_written();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
