//! The accepted socket: ends when a client takes too little of its answer, and closes such that it gets to read it.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::http::uri::Scheme;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use super::connection::{ClientConnection, PATIENCE_OF_OTHERS, Stall, Terms};
use super::min_rate::MinRate;
use super::readable::Readable;
use super::write_backlog::BacklogBudget;
use crate::proxy::timer::Timer;
use crate::shared_socket::SharedSocket;

/// One accepted connection's bytes, in both directions.
#[derive(Debug)]
pub struct Socket {
    socket: SharedSocket,
    connection: Arc<ClientConnection>,
    /// How fast the client takes the answer; the terms are those of the last one that was waited for.
    min_rate: MinRate,
    terms: Terms,
    /// The same, while others wait for what it keeps.
    strict: MinRate,
    /// When to see again whether they do.
    next_look: Option<Instant>,
    timer: Timer,
    /// Runs once we have closed our half on a client that still sends.
    hearing_out: Option<Pin<Box<Sleep>>>,
}

impl Socket {
    pub fn new(socket: TcpStream, peer: SocketAddr, scheme: Scheme, room: BacklogBudget) -> Self {
        // An answer's last piece must not wait for more; fails only on a connection that is gone.
        let _ = socket.set_nodelay(true);
        let local = socket.local_addr().ok();
        let socket = Arc::new(socket);
        let connection = ClientConnection::new(peer, local, scheme, Arc::downgrade(&socket), room);
        let terms = connection.terms();
        let min_rate = MinRate::new(terms.patience);
        Self {
            socket: SharedSocket(socket),
            connection: Arc::new(connection),
            min_rate,
            terms,
            strict: MinRate::new(PATIENCE_OF_OTHERS),
            next_look: None,
            timer: Timer::default(),
            hearing_out: None,
        }
    }

    pub fn connection(&self) -> Arc<ClientConnection> {
        self.connection.clone()
    }

    /// What came of a write; fails when the client takes too little: what it does not take, others wait for.
    fn unless_stalled(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = match written {
            Poll::Ready(written) => written,
            Poll::Pending => {
                let stall = ready!(self.poll_stall(context));
                // The system tells of room only when there is plenty, and what a slow client has taken may be less: trying shows it.
                match SockRef::from(&*self.socket.0).send_vectored(slices) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        self.connection.stalls(stall);
                        return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                    }
                    written => written,
                }
            }
        };
        if let Ok(bytes) = &written {
            self.min_rate.moved(*bytes);
            self.strict.moved(*bytes);
        }
        Poll::Ready(written)
    }

    /// Nothing is taken; ready when that, or too little, has gone on for too long.
    fn poll_stall(&mut self, context: &mut Context<'_>) -> Poll<Stall> {
        let terms = self.connection.terms();
        if self.terms != terms {
            self.terms = terms;
            self.min_rate.begin_anew(terms.patience);
            self.strict.begin_anew(PATIENCE_OF_OTHERS);
        }
        if self.min_rate.poll_overdue(context).is_ready() {
            return Poll::Ready(Stall::Overdue);
        }
        ready!(self.strict.poll_overdue(context));
        while !self.connection.is_in_the_way() {
            let next_look = *self.next_look.get_or_insert_with(|| Instant::now() + BETWEEN_LOOKS);
            ready!(self.timer.poll_until(context, next_look));
            self.next_look = None;
        }
        Poll::Ready(Stall::Blocking)
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
        while ready!(self.socket.0.poll_read_ready(context)).is_ok() {
            match self.socket.0.try_read(&mut discarded) {
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
        self.socket.0.poll_read_ready(context)
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.unless_stalled(context, written, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(context, slices);
        self.unless_stalled(context, written, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.socket).poll_shutdown(context))?;
        if self.connection.is_still_sending() {
            ready!(self.poll_hear_out(context));
        }
        Poll::Ready(Ok(()))
    }
}

/// How often it is seen whether others wait for what a client keeps that takes nothing.
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);

const HEARING_OUT_TIME: Duration = Duration::from_secs(30);
