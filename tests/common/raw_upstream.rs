//! A Business Central that shows byte for byte what it got, and answers every request with an empty 200.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use bcproxy::tls::{CertificateAuthority, ServerCertificate};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

use crate::plain_http::{PlainRequest, Reading, read};

/// What arrived: requests, or why something is none.
type Arrived = Vec<Result<PlainRequest, String>>;

/// Listens until it is dropped.
pub struct RawUpstream {
    pub port: u16,
    pub ca_pem: String,
    arrived: Arc<Mutex<Arrived>>,
    _accepting: AbortOnDropHandle<()>,
}

impl RawUpstream {
    pub async fn start() -> Self {
        let lifetime = time::Duration::days(30);
        let names = vec!["localhost".to_owned()];
        let authority = CertificateAuthority::new("raw upstream", &names, lifetime).unwrap();
        let issued = authority.issue(names, lifetime).unwrap();
        let certificate =
            ServerCertificate::from_pem(issued.certificate.as_bytes(), issued.private_key.as_bytes()).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(certificate.server_config(None).unwrap()));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let arrived = Arc::<Mutex<Arrived>>::default();
        let log = arrived.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, acceptor.clone(), log.clone()));
            }
        });
        Self {
            port,
            ca_pem: authority.certificate().to_owned(),
            arrived,
            _accepting: AbortOnDropHandle::new(accepting),
        }
    }

    /// What arrived since this was last asked.
    pub fn take(&self) -> Arrived {
        std::mem::take(&mut self.arrived.lock().unwrap())
    }
}

async fn serve(socket: TcpStream, acceptor: TlsAcceptor, log: Arc<Mutex<Arrived>>) {
    let Ok(mut stream) = acceptor.accept(socket).await else { return };
    let mut held = Vec::new();
    loop {
        let reading = read(&held);
        match reading {
            Reading::Incomplete => {
                if !matches!(stream.read_buf(&mut held).await, Ok(1..)) {
                    return;
                }
                continue;
            }
            Reading::Request(request, length) => {
                let head = &held[..held.windows(4).position(|end| end == b"\r\n\r\n").unwrap_or(length)];
                let is_strict = !head.starts_with(b"\r")
                    && head.split(|&byte| byte == b'\n').rev().skip(1).all(|line| line.ends_with(b"\r"));
                held.drain(..length);
                log.lock().unwrap().push(if is_strict {
                    Ok(request)
                } else {
                    Err("a line without its end".to_owned())
                });
            }
            Reading::Wrong(why) => {
                log.lock().unwrap().push(Err(why.to_owned()));
                return;
            }
        }
        if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.is_err() {
            return;
        }
    }
}
