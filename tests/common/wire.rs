//! A client that writes and reads bytes, so that nothing a library does on its own hides what the proxy does.
#![allow(dead_code, reason = "no test program uses all of it")]

use std::io;
use std::net::SocketAddr;

use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderName};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::rig::within;

/// One connection, seen from its client.
pub struct Wire {
    stream: Box<dyn Stream>,
    /// Read, but not yet asked for.
    read: Vec<u8>,
}

/// The head of an answer.
#[derive(Debug)]
pub struct Head(String);

/// What a client reads from and writes to, over its socket.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {
    fn socket(&self) -> &TcpStream;
}

impl Stream for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl Stream for TlsStream<TcpStream> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0
    }
}

impl Wire {
    pub async fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap())
    }

    pub fn over(stream: TcpStream) -> Self {
        Self { stream: Box::new(stream), read: Vec::new() }
    }

    /// Speaks TLS to a server that shows a certificate for `localhost`.
    pub async fn connect_tls(address: SocketAddr, tls: rustls::ClientConfig) -> io::Result<Self> {
        Self::over_tls(TcpStream::connect(address).await?, tls).await
    }

    /// The same, on a connection that is open.
    pub async fn over_tls(socket: TcpStream, tls: rustls::ClientConfig) -> io::Result<Self> {
        let connector = TlsConnector::from(std::sync::Arc::new(tls));
        let stream = within(connector.connect("localhost".try_into().unwrap(), socket)).await?;
        Ok(Self { stream: Box::new(stream), read: Vec::new() })
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        within(self.stream.write_all(bytes.as_ref())).await.unwrap();
    }

    /// Sends as much as is taken at once, over plain TCP; `None` when nothing is.
    pub fn try_send(&mut self, bytes: &[u8]) -> Option<usize> {
        self.stream.socket().try_write(bytes).ok()
    }

    /// Closes the sending half: a FIN, as after `shutdown(SHUT_WR)`.
    pub async fn finish_sending(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Goes away with a reset.
    pub fn reset(self) {
        SockRef::from(self.stream.socket()).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    }

    /// Closes the sending half of the socket without a word in TLS.
    pub fn finish_silently(&self) {
        SockRef::from(self.stream.socket()).shutdown(std::net::Shutdown::Write).unwrap();
    }

    /// Goes away without a word in TLS.
    pub fn vanish(self) {
        SockRef::from(self.stream.socket()).shutdown(std::net::Shutdown::Both).unwrap();
    }

    pub async fn head(&mut self) -> Head {
        Head(self.until("\r\n\r\n").await)
    }

    /// Exactly that many bytes.
    pub async fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.read.len() < count {
            self.more().await;
        }
        self.read.drain(..count).collect()
    }

    /// Counts bytes to their end, in bounded memory.
    pub async fn count(&mut self, mut length: u64) {
        length -= self.read.drain(..).count() as u64;
        let mut buffer = vec![0; 1 << 18];
        while length > 0 {
            let read = within(self.stream.read(&mut buffer)).await.unwrap();
            assert!(read > 0, "the answer ended {length} bytes too early");
            length -= read as u64;
        }
    }

    /// Has the system take in little ahead of what is read, and never more.
    pub fn take_in_little(&self) {
        SockRef::from(self.stream.socket()).set_recv_buffer_size(32 * 1024).unwrap();
    }

    /// Reads that many bytes and not one more, unless the connection ends before. What was read by others first is none
    /// of them.
    pub async fn sip(&mut self, count: usize) -> io::Result<()> {
        within(self.stream.read_exact(&mut vec![0; count])).await.map(|_| ())
    }

    /// The data of the next chunk; empty for the last one.
    pub async fn chunk(&mut self) -> Vec<u8> {
        let line = self.until("\r\n").await;
        let length = usize::from_str_radix(line.trim(), 16).unwrap_or_else(|_| panic!("no chunk: {line:?}"));
        let data = self.bytes(length).await;
        assert_eq!(self.bytes(2).await, b"\r\n", "the end of a chunk, and no trailers");
        data
    }

    /// An answer whose body has a length or is chunked.
    pub async fn response(&mut self) -> (Head, Vec<u8>) {
        let head = self.head().await;
        if let Some(length) = head.header("content-length") {
            let body = self.bytes(length.parse().unwrap()).await;
            return (head, body);
        }
        assert_eq!(head.header("transfer-encoding"), Some("chunked"), "{head:?}");
        let mut body = Vec::new();
        loop {
            match self.chunk().await.as_slice() {
                [] => return (head, body),
                data => body.extend_from_slice(data),
            }
        }
    }

    /// Everything up to the end of the connection, and whether that was an orderly one.
    pub async fn rest(&mut self) -> (Vec<u8>, io::Result<()>) {
        let mut rest = std::mem::take(&mut self.read);
        let result = within(self.stream.read_to_end(&mut rest)).await;
        (rest, result.map(|_| ()))
    }

    async fn until(&mut self, end: &str) -> String {
        loop {
            if let Some(at) = self.read.windows(end.len()).position(|window| window == end.as_bytes()) {
                let text = self.read.drain(..at + end.len()).collect();
                return String::from_utf8(text).unwrap();
            }
            self.more().await;
        }
    }

    async fn more(&mut self) {
        let read = within(self.stream.read_buf(&mut self.read)).await.unwrap();
        assert!(read > 0, "the connection ended after {:?}", String::from_utf8_lossy(&self.read));
    }
}

impl Head {
    pub fn status(&self) -> StatusCode {
        self.0[9..12].parse().unwrap()
    }

    /// `HTTP/1.0` or `HTTP/1.1`.
    pub fn version(&self) -> &str {
        &self.0[..8]
    }

    pub fn headers(&self) -> HeaderMap {
        let lines = self.0.lines().filter_map(|line| line.split_once(": "));
        lines.map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())).collect()
    }

    /// The names as they are written, in their order.
    pub fn names(&self) -> Vec<&str> {
        self.0.lines().filter_map(|line| line.split_once(": ")).map(|(name, _)| name).collect()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    pub fn all(&self, name: &str) -> Vec<&str> {
        let headers = self.0.lines().filter_map(|line| line.split_once(": "));
        headers.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }
}

/// A body in one chunk and the last one.
pub fn chunked(body: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", body.len()).as_bytes(), body, b"\r\n0\r\n\r\n"].concat()
}
