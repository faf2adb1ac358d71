//! A connection that tells whether any of a request was written to it, and spells `SOAPAction` as SOAP does.

use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use hyper::header::HeaderMap;
use hyper::rt::{Read, ReadBufCursor, Write};
use socket2::SockRef;
use tokio::net::TcpStream;

use crate::proxy::header_case::{self, CasedHead};
use crate::proxy::headers::SOAP_ACTION;

/// A stream that tells about the request that is written to it.
#[derive(Debug)]
pub struct Wire<S> {
    stream: S,
    /// The socket below the stream, where there is one.
    socket: Option<Arc<TcpStream>>,
    request: Arc<WireRequest>,
    head: CasedHead,
}

/// What is known of the current request.
#[derive(Debug, Default)]
pub struct WireRequest {
    /// Any of it was written.
    written: AtomicBool,
    has_soap_action: AtomicBool,
}

impl WireRequest {
    /// A request with these headers will be sent next. hyper has written everything before.
    pub fn begins(&self, headers: &HeaderMap) {
        self.written.store(false, Ordering::Relaxed);
        self.has_soap_action.store(headers.contains_key(&SOAP_ACTION), Ordering::Relaxed);
    }

    /// Whether any of it was written.
    pub fn is_written(&self) -> bool {
        self.written.load(Ordering::Relaxed)
    }
}

impl<S> Wire<S> {
    /// The stream over this socket, and what it tells.
    pub fn new(stream: S, socket: Option<Arc<TcpStream>>) -> (Self, Arc<WireRequest>) {
        let request = Arc::<WireRequest>::default();
        (Self { stream, socket, request: request.clone(), head: CasedHead::default() }, request)
    }

    /// The result of a write. One that fails is pending as long as there is something to read.
    ///
    /// Business Central may reject a large request and close before it has read all of it. hyper would give up at the
    /// failed write, although it reads the response next.
    fn until_read<T>(&self, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        let has_unread = || {
            let unread = self.socket.as_ref().map(|socket| SockRef::from(&**socket).peek(&mut [MaybeUninit::uninit()]));
            unread.is_some_and(|unread| unread.is_ok_and(|count| count > 0))
        };
        match written {
            Poll::Ready(Err(error))
                if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) && has_unread() =>
            {
                Poll::Pending
            }
            written => written,
        }
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
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Self { stream, request, head, .. } = &mut *self;
        if !request.is_written() {
            // Before the write: what a TLS session accepted may have been sent, even if the socket below it failed.
            request.written.store(true, Ordering::Relaxed);
            if request.has_soap_action.load(Ordering::Relaxed) {
                head.begin(slices, header_case::soap_action);
            }
        }
        let written = head.poll_write(slices, |slices| Pin::new(stream).poll_write_vectored(context, slices));
        self.until_read(written)
    }

    /// TLS does, and [`CasedHead`] requires it.
    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.until_read(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::Full;
    use hyper::Request;
    use hyper::client::conn::http1;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_soap_action_is_spelled_as_soap_does_and_a_body_is_left_alone() {
        let (stream, mut server) = tokio::io::duplex(1 << 10);
        let (wire, request) = Wire::new(TokioIo::new(stream), None);
        let (mut sender, connection) = http1::handshake(wire).await.unwrap();
        tokio::spawn(connection);
        let body = "\r\nsoapaction: \"x\"\r\n".repeat(200);
        for soap_action in [true, false, true] {
            let call = Request::post("/ws").header("x-first", "1").header("if-match", "soapaction: x");
            let call = if soap_action { call.header(SOAP_ACTION, "\"urn:x\"") } else { call };
            let call = call.body(Full::<Bytes>::from(body.clone())).unwrap();
            sender.ready().await.unwrap();
            request.begins(call.headers());
            let response = tokio::spawn(sender.send_request(call));
            let name = if soap_action { "SOAPAction: \"urn:x\"\r\n" } else { "" };
            let head = format!(
                "POST /ws HTTP/1.1\r\nx-first: 1\r\nif-match: soapaction: x\r\n{name}content-length: {}\r\n\r\n",
                body.len()
            );
            let mut sent = vec![0; head.len() + body.len()];
            server.read_exact(&mut sent).await.unwrap();
            assert_eq!(String::from_utf8(sent).unwrap(), head + &body);
            assert!(request.is_written());
            server.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
            assert_eq!(response.await.unwrap().unwrap().status(), 204);
        }
    }
}
