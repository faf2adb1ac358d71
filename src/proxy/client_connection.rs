//! One client's connection: the stream hyper reads and writes, and what the steps may ask of it.
//!
//! hyper treats every end of a stream alike. A legacy client that closes its sending half only means "done sending", an answer that
//! broke off must not end like a complete one, and a client that left is no reader of a long report: the stream knows which is which.

use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// The stream of one accepted connection, as hyper uses it.
pub struct ClientStream {
    socket: Arc<TcpStream>,
    connection: Arc<ClientConnection>,
    /// Runs once we have closed our half on a client that still sends.
    hearing_out: Option<Pin<Box<Sleep>>>,
}

/// One accepted connection, as the steps of the data path see it.
///
/// It does not keep the socket open: a write that goes on upstream must not hold the connection of a client that left.
#[derive(Debug)]
pub struct ClientConnection {
    peer: SocketAddr,
    /// Where the client came in; unknown only when it is gone already.
    local: Option<SocketAddr>,
    socket: Weak<TcpStream>,
    answer: AtomicU8,
    is_still_sending: AtomicBool,
}

/// No answer is under way whose end would be the end of the connection.
const NO_ANSWER: u8 = 0;
/// There is one.
const ANSWERING: u8 = 1;
/// All of it was handed over to hyper, which may not have written all of it yet.
const HANDED_OVER: u8 = 2;

impl ClientStream {
    pub fn new(socket: TcpStream, peer: SocketAddr) -> Self {
        let local = socket.local_addr().ok();
        let socket = Arc::new(socket);
        let connection = ClientConnection {
            peer,
            local,
            socket: Arc::downgrade(&socket),
            answer: AtomicU8::new(NO_ANSWER),
            is_still_sending: AtomicBool::new(false),
        };
        Self { socket, connection: Arc::new(connection), hearing_out: None }
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

    /// Our address on this connection.
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.local
    }

    /// An answer begins whose end the client may know by the end of the connection only.
    ///
    /// An orderly close would make half of it look whole. So until it is [whole](Self::answer_is_whole), every close is a reset: of an
    /// answer that broke off, of a stop that waits no longer, of a process that is killed.
    pub fn answer_begins(&self) {
        if self.answer.swap(ANSWERING, Ordering::Relaxed) == NO_ANSWER
            && let Some(socket) = self.socket.upgrade()
        {
            // Fails only when the connection is gone already.
            let _ = socket.set_zero_linger();
        }
    }

    /// The answer that began, if one did, was handed over to hyper to its end.
    pub fn answer_is_whole(&self) {
        let _ = self.answer.compare_exchange(ANSWERING, HANDED_OVER, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Nobody will read what the client still sends of its request.
    pub fn stays_unread(&self) {
        self.is_still_sending.store(true, Ordering::Relaxed);
    }

    /// Waits until the client has closed its side or reset the connection.
    ///
    /// Stays pending when the client has sent more than was read so far: what follows it can't be seen yet. A client that pipelines on an
    /// open connection and closes its half counts as gone.
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

impl ClientStream {
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

    /// hyper flushes when everything it was handed over is written.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.connection.answer.load(Ordering::Relaxed) == HANDED_OVER {
            self.connection.answer.store(NO_ANSWER, Ordering::Relaxed);
            let _ = SockRef::from(&*self.socket).set_linger(None);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match SockRef::from(&*self.socket).shutdown(Shutdown::Write) {
            Err(error) if error.kind() != io::ErrorKind::NotConnected => return Poll::Ready(Err(error)),
            _ => {}
        }
        if self.connection.is_still_sending.load(Ordering::Relaxed) {
            ready!(self.poll_hear_out(context));
        }
        Poll::Ready(Ok(()))
    }
}

const HEARING_OUT_TIME: Duration = Duration::from_secs(30);
