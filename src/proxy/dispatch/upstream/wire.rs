//! A connection that knows whether any of a request went out on it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};

/// Bytes in both directions, and a note of the first one written.
#[derive(Debug)]
pub struct Wire<S> {
    stream: S,
    touched: Touched,
}

/// Whether a byte was written since it was last asked to forget.
#[derive(Debug, Clone, Default)]
pub struct Touched(Arc<AtomicBool>);

impl Touched {
    pub fn forget(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    pub fn is_touched(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl<S> Wire<S> {
    pub fn new(stream: S) -> (Self, Touched) {
        let touched = Touched::default();
        (Self { stream, touched: touched.clone() }, touched)
    }

    /// What was written to a TLS session may have gone out, even if the socket under it failed.
    fn note(&self) {
        self.touched.0.store(true, Ordering::Relaxed);
    }
}

impl<S: Read + Unpin> Read for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: Write + Unpin> Write for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.note();
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.note();
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
