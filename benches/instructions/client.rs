//! The client: one request after the other on a connection of its own.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{ACCEPT, HOST, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::Result;
use crate::idle::Idle;
use crate::pieces::Pieces;
use crate::proxy::{Proxy, Setup};
use crate::rows::{self, Row};

/// An open connection.
pub struct Client {
    sender: SendRequest<Pieces>,
    idle: Idle,
}

impl Client {
    /// Connects, and waits until the proxy has accepted the connection.
    ///
    /// Otherwise it may find more than one piece at its first look, and then reads larger pieces for good.
    pub async fn connect(row: &Row, proxy: &Proxy) -> Result<Self> {
        let before = proxy.idle.wait().await?;
        let sender = if row.tls {
            let socket = open(proxy.tls_address).await?;
            speak(proxy.tls.connect("localhost".try_into()?, socket).await?).await?
        } else if row.setup == Setup::Watched {
            speak(open(proxy.admin).await?).await?
        } else {
            speak(open(proxy.address).await?).await?
        };
        proxy.idle.wait_after(before).await?;
        Ok(Self { sender, idle: proxy.idle.clone() })
    }

    /// Sends so many requests, one after the other.
    pub async fn send(&mut self, row: &Row, requests: usize) -> Result<()> {
        for _ in 0..requests {
            self.idle.wait().await?;
            let exchange = timeout(LONGEST_EXCHANGE, exchange(row, &mut self.sender, &self.idle));
            exchange.await.map_err(|_| format!("{}: no response", row.name))??;
        }
        Ok(())
    }
}

/// Sends one request and reads the whole response.
async fn exchange(row: &Row, sender: &mut SendRequest<Pieces>, idle: &Idle) -> Result<()> {
    let request = Request::builder()
        .method(row.method.clone())
        .uri(row.path)
        .header(HOST, "localhost:8080")
        .header(USER_AGENT, "legacy/1.0")
        .header(ACCEPT, "*/*");
    let request = row.headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    sender.ready().await?;
    let response = sender.send_request(request.body(Pieces::new(row.body.clone(), idle.clone()))?).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    if status != row.status {
        return Err(format!("{}: {status}: {}", row.name, String::from_utf8_lossy(&body)).into());
    }
    Ok(())
}

/// Whether a first GET comes back with 200.
pub async fn is_served(proxy: SocketAddr) -> bool {
    let ask = async {
        let mut sender = speak(open(proxy).await?).await?;
        let request = Request::builder()
            .uri(rows::SMALL)
            .header(HOST, "localhost")
            .body(Pieces::new(Bytes::new(), Idle::default()))?;
        Result::Ok(sender.send_request(request).await?.status() == StatusCode::OK)
    };
    timeout(LONGEST_EXCHANGE, ask).await.is_ok_and(|outcome| outcome.unwrap_or(false))
}

async fn open(address: SocketAddr) -> Result<TcpStream> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

async fn speak(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<SendRequest<Pieces>> {
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // A connection that breaks shows as a failed request.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

const LONGEST_EXCHANGE: Duration = Duration::from_secs(120);
