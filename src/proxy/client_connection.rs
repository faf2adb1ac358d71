//! One client's connection: the stream hyper reads and writes, and what the steps may ask of it.
//!
//! hyper treats every end of a stream alike. A legacy client that closes its sending half only means "done sending", an answer that
//! broke off must not end like a complete one, and a client that left is no reader of a long report: the stream knows which is which.

use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The stream of one accepted connection, as hyper uses it.
pub struct ClientStream {
    socket: Arc<TcpStream>,
    connection: Arc<ClientConnection>,
}

/// One accepted connection, as the steps of the data path see it.
///
/// It does not keep the socket open: a write that goes on upstream must not hold the connection of a client that left.
#[derive(Debug)]
pub struct ClientConnection {
    peer: SocketAddr,
    socket: Weak<TcpStream>,
    broken_off: AtomicBool,
}

impl ClientStream {
    pub fn new(socket: TcpStream, peer: SocketAddr) -> Self {
        let socket = Arc::new(socket);
        let connection = ClientConnection { peer, socket: Arc::downgrade(&socket), broken_off: AtomicBool::new(false) };
        Self { socket, connection: Arc::new(connection) }
    }

    pub fn connection(&self) -> Arc<ClientConnection> {
        self.connection.clone()
    }
}

impl ClientConnection {
    /// The client's address; an IPv4 client on an IPv6 socket counts as IPv4.
    pub fn ip(&self) -> IpAddr {
        self.peer.ip().to_canonical()
    }

    /// Ends the connection with a reset instead of an orderly close.
    ///
    /// Needed where the end of the connection is the end of the answer: an orderly close would make a broken-off answer look whole.
    pub fn break_off(&self) {
        self.broken_off.store(true, Ordering::Relaxed);
    }

    /// Waits until the client has closed its side or reset the connection.
    ///
    /// Stays pending when the client has sent more (a pipelined request): what follows it can't be seen yet.
    pub async fn closed_by_client(&self) {
        let Some(socket) = self.socket.upgrade() else { return };
        match socket.peek(&mut [0]).await {
            Ok(0) | Err(_) => {}
            Ok(_) => std::future::pending().await,
        }
    }
}

impl AsyncRead for ClientStream {
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

impl ClientStream {
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
}

impl AsyncWrite for ClientStream {
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

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.connection.broken_off.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        match SockRef::from(&*self.socket).shutdown(Shutdown::Write) {
            Err(error) if error.kind() != io::ErrorKind::NotConnected => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(())),
        }
    }
}

impl Drop for ClientStream {
    fn drop(&mut self) {
        if self.connection.broken_off.load(Ordering::Relaxed) {
            // Fails only when the connection is gone already.
            let _ = self.socket.set_zero_linger();
        }
    }
}
