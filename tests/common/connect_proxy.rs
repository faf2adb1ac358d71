//! An outbound web proxy as companies have them: knows `CONNECT`, may want a user name, and can be told to misbehave.
#![allow(dead_code, reason = "no test program uses all of it")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

/// A proxy that takes every name to be this machine. Dropping it ends it and all its tunnels.
pub struct ConnectProxy {
    pub address: SocketAddr,
    state: Arc<State>,
    _accepting: AbortOnDropHandle<()>,
}

#[derive(Default)]
struct State {
    conduct: Mutex<Conduct>,
    /// `host:port` of each `CONNECT`, in the order they came.
    asked: Mutex<Vec<String>>,
    tunnels: Mutex<(CancellationToken, TaskTracker)>,
}

/// What it does with the next connections.
#[derive(Debug, Clone, Default)]
pub enum Conduct {
    #[default]
    Connect,
    /// As before, for whoever shows this `Proxy-Authorization`; otherwise 407.
    ConnectFor(String),
    /// Answers this, and closes.
    ClientResponse(String),
    /// Closes without an answer.
    Close,
    /// Takes the connection, and does nothing.
    Hang,
}

impl ConnectProxy {
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let serving = state.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (end, tunnels) = serving.tunnels.lock().unwrap().clone();
                let serving = serving.clone();
                tunnels.spawn(async move { end.run_until_cancelled(serving.serve(socket)).await });
            }
        });
        Self { address, state, _accepting: AbortOnDropHandle::new(accepting) }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn conduct(&self, conduct: Conduct) {
        *self.state.conduct.lock().unwrap() = conduct;
    }

    /// Whom it was asked for: `host` of each `CONNECT`, without the port.
    pub fn asked(&self) -> Vec<String> {
        let asked = self.state.asked.lock().unwrap();
        asked.iter().map(|location| location.rsplit_once(':').unwrap().0.to_owned()).collect()
    }

    /// Closes all connections, tunnels among them; ends when they are closed.
    pub async fn close_connections(&self) {
        let (end, tunnels) = std::mem::take(&mut *self.state.tunnels.lock().unwrap());
        end.cancel();
        tunnels.close();
        tunnels.wait().await;
    }
}

impl Drop for ConnectProxy {
    fn drop(&mut self) {
        self.state.tunnels.lock().unwrap().0.cancel();
    }
}

impl State {
    async fn serve(&self, mut socket: TcpStream) {
        let Some(head) = read_head(&mut socket).await else { return };
        let location =
            head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()).unwrap_or("?:0").to_owned();
        self.asked.lock().unwrap().push(location.clone());
        let conduct = self.conduct.lock().unwrap().clone();
        let shown = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("proxy-authorization").then(|| value.trim().to_owned())
        });
        let response = match conduct {
            Conduct::Connect => None,
            Conduct::ConnectFor(wanted) if shown.as_ref() == Some(&wanted) => None,
            Conduct::ConnectFor(_) => Some(unauthorized("Basic realm=\"proxy\"")),
            Conduct::ClientResponse(response) => Some(response),
            Conduct::Close => return,
            Conduct::Hang => return std::future::pending().await,
        };
        if let Some(response) = response {
            let _ = socket.write_all(response.as_bytes()).await;
            let _ = socket.shutdown().await;
            // What else comes is read: unread bytes would reset the connection, and the answer with it.
            let _ = tokio::io::copy(&mut socket, &mut tokio::io::sink()).await;
            return;
        }
        let port: u16 = location.rsplit_once(':').unwrap().1.parse().unwrap();
        let Ok(mut target) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else {
            let _ = socket.write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n").await;
            return;
        };
        let _ = socket.write_all(b"HTTP/1.0 200 Connection established\r\n\r\n").await;
        let _ = copy_bidirectional(&mut socket, &mut target).await;
    }
}

/// What a proxy answers to who does not show who it is.
pub fn unauthorized(challenge: &str) -> String {
    format!(
        "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: {challenge}\r\nContent-Length: 0\r\n\r\n"
    )
}

async fn read_head(socket: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}
