//! The accepted socket: fails when a client takes its response too slowly, and closes so that the client can read it.

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

use super::connection::ClientConnection;
use super::min_rate::MinRate;
use super::readable::Readable;
use super::stall::{CONTENDED_IDLE, Stall, TakeLimit};
use crate::proxy::budgets::fair_budget::FairBudget;
use crate::proxy::downstream::bind::Terms;
use crate::proxy::timer::Timer;
use crate::shared_socket::SharedSocket;

/// An accepted connection's bytes in both directions.
#[derive(Debug)]
pub struct Socket {
    socket: SharedSocket,
    pub connection: Arc<ClientConnection>,
    /// The rate at which the client takes the response; `take_limit` are those of the response that was last waited
    /// for.
    min_rate: MinRate,
    take_limit: TakeLimit,
    /// The same, while others wait for what it holds.
    strict: MinRate,
    /// When to check again whether they do.
    next_check: Option<Instant>,
    timer: Timer,
    /// Runs once our half is closed and the client still sends.
    lingering: Option<Pin<Box<Sleep>>>,
}

impl Socket {
    pub fn new(socket: TcpStream, peer: SocketAddr, scheme: Scheme, memory: &FairBudget, terms: Terms) -> Self {
        // A response's last piece must not wait for more. Fails only on a connection that is gone.
        let _ = socket.set_nodelay(true);
        let local = socket.local_addr().ok();
        let socket = Arc::new(socket);
        let connection = ClientConnection::new(peer, local, scheme, Arc::downgrade(&socket), memory, terms);
        let take_limit = connection.take_limit();
        let min_rate = MinRate::new(take_limit.idle_limit);
        Self {
            socket: SharedSocket(socket),
            connection: Arc::new(connection),
            min_rate,
            take_limit,
            strict: MinRate::new(CONTENDED_IDLE),
            next_check: None,
            timer: Timer::default(),
            lingering: None,
        }
    }

    /// The result of a write. Fails when the client is too slow.
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
                // The system reports room only when there is plenty, and a slow client may have taken less: only trying
                // shows it.
                match SockRef::from(&*self.socket.0).send_vectored(slices) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        self.connection.disconnect(stall);
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

    /// Nothing is taken. Ready when that, or too low a rate, has lasted for too long.
    fn poll_stall(&mut self, context: &mut Context<'_>) -> Poll<Stall> {
        let take_limit = self.connection.take_limit();
        if self.take_limit != take_limit {
            self.take_limit = take_limit;
            self.min_rate.restart(take_limit.idle_limit);
            self.strict.restart(CONTENDED_IDLE);
        }
        if self.min_rate.poll_overdue(context).is_ready() {
            return Poll::Ready(Stall::Overdue);
        }
        ready!(self.strict.poll_overdue(context));
        while !self.connection.is_blocking() {
            let next_check = *self.next_check.get_or_insert_with(|| Instant::now() + CONTENTION_CHECK_INTERVAL);
            ready!(self.timer.poll_until(context, next_check));
            self.next_check = None;
        }
        Poll::Ready(Stall::Blocking)
    }

    /// Reads and discards until the client closes, too, so that it can read our response.
    ///
    /// Closing a socket with unread bytes resets the connection, and the reset would overtake the response.
    fn poll_hear_out(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let timer = self.lingering.get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER_TIMEOUT)));
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

/// Interval at which it is checked whether others wait for what a stalled client holds.
const CONTENTION_CHECK_INTERVAL: Duration = Duration::from_secs(5);

const LINGER_TIMEOUT: Duration = Duration::from_secs(30);
