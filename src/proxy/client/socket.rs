//! The accepted socket: closes such that a client gets to read its answer.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use super::connection::ClientConnection;

/// One accepted connection's bytes, in both directions.
pub struct Socket {
    socket: Arc<TcpStream>,
    connection: Arc<ClientConnection>,
    /// Runs once we have closed our half on a client that still sends.
    hearing_out: Option<Pin<Box<Sleep>>>,
}

/// A stream that can say that there is something to read without a buffer to read it into.
pub trait Readable {
    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;
}

impl Socket {
    pub fn new(socket: TcpStream, peer: SocketAddr) -> Self {
        // An answer's last piece must not wait for more; fails only on a connection that is gone.
        let _ = socket.set_nodelay(true);
        let local = socket.local_addr().ok();
        let socket = Arc::new(socket);
        let connection = ClientConnection::new(peer, local, Arc::downgrade(&socket));
        Self { socket, connection: Arc::new(connection), hearing_out: None }
    }

    pub fn connection(&self) -> Arc<ClientConnection> {
        self.connection.clone()
    }

    fn poll_write_with(
        &self,
        context: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.socket.poll_write_ready(context))?;
            match write(&self.socket) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    /// Reads and discards until the client closes too, so that it gets to read our answer.
    ///
    /// Closing a socket with unread bytes resets the connection, and the reset overtakes the answer.
    fn poll_hear_out(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let timer = self.hearing_out.get_or_insert_with(|| Box::pin(tokio::time::sleep(HEARING_OUT_TIME)));
        if timer.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        let mut discarded = [0; 16 * 1024];
        while ready!(self.socket.poll_read_ready(context)).is_ok() {
            match self.socket.try_read(&mut discarded) {
                Ok(0) => break,
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => break,
                _ => {}
            }
        }
        Poll::Ready(())
    }
}

impl Readable for Socket {
    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_read_ready(context)
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.socket.poll_read_ready(context))?;
            match self.socket.try_read_buf(buffer) {
                Ok(_) => return Poll::Ready(Ok(())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_with(context, |socket| socket.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(context, |socket| socket.try_write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match SockRef::from(&*self.socket).shutdown(Shutdown::Write) {
            Err(error) if error.kind() != io::ErrorKind::NotConnected => return Poll::Ready(Err(error)),
            _ => {}
        }
        if self.connection.is_still_sending() {
            ready!(self.poll_hear_out(context));
        }
        Poll::Ready(Ok(()))
    }
}

const HEARING_OUT_TIME: Duration = Duration::from_secs(30);
