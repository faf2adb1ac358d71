//! A TCP socket that can be inspected while another task reads and writes it.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

/// The reading and writing end of a socket. Inspectors hold clones of its [`Arc`].
#[derive(Debug)]
pub struct SharedSocket(pub Arc<TcpStream>);

impl SharedSocket {
    fn poll_write_with(
        &self,
        context: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(context))?;
            match write(&self.0) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }
}

/// Whether an idle socket has anything to read: the peer has closed or reset it, or sent unexpected data.
///
/// Asks the operating system, because the runtime may not have noticed a recent close yet.
pub fn is_stale(socket: &TcpStream) -> bool {
    has_data_or_end(peek(socket))
}

/// The same, as far as the runtime has noticed. Mostly it has noticed nothing, and this costs no system call.
pub fn is_known_stale(socket: &TcpStream) -> bool {
    has_data_or_end(socket.try_io(Interest::READABLE, || peek(socket)))
}

fn peek(socket: &TcpStream) -> io::Result<usize> {
    SockRef::from(socket).peek(&mut [MaybeUninit::uninit()])
}

fn has_data_or_end(peeked: io::Result<usize>) -> bool {
    peeked.map_or_else(|error| error.kind() != io::ErrorKind::WouldBlock, |_| true)
}

impl AsyncRead for SharedSocket {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_read_ready(context))?;
            let (free, mut count) = (buffer.remaining(), 0);
            let read = self.0.try_io(Interest::READABLE, || {
                count = self.0.try_read_buf(buffer)?;
                // Tells the runtime that there is no more, which it would have to ask for. Its own socket does so, too.
                if REPORTS_ARRIVALS && 0 < count && count < free {
                    Err(io::ErrorKind::WouldBlock.into())
                } else {
                    Ok(())
                }
            });
            match read {
                Err(error) if count == 0 && error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if count == 0 => return Poll::Ready(Err(error)),
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl AsyncWrite for SharedSocket {
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
        match SockRef::from(&*self.0).shutdown(std::net::Shutdown::Write) {
            Err(error) if error.kind() != io::ErrorKind::NotConnected => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(())),
        }
    }
}

/// Whether the system reports each arrival of data on a socket, and not only whether there is any (epoll(7), "Level-
/// triggered and edge-triggered").
const REPORTS_ARRIVALS: bool = cfg!(target_os = "linux");
