//! A TCP relay between a replica and its shared store, which a test can cut, hold or delay.
#![allow(dead_code, reason = "no test program uses all of it")]

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// Relays until it is dropped.
pub struct StoreLink {
    address: SocketAddr,
    state: watch::Sender<LinkState>,
    _accepting: AbortOnDropHandle<()>,
}

/// What happens to bytes on their path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    Open,
    /// Everything from the store arrives later.
    Delayed(Duration),
    /// Nothing arrives until the link is open again, and no connection ends: packets are lost.
    Held,
    /// All connections end, and new ones are closed at once.
    Cut,
}

impl StoreLink {
    /// A relay to this port of this machine.
    pub async fn start(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = watch::Sender::new(LinkState::Open);
        let states = state.subscribe();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *states.borrow() != LinkState::Cut {
                    tokio::spawn(relay(client, port, states.clone()));
                }
            }
        });
        Self { address, state, _accepting: AbortOnDropHandle::new(accepting) }
    }

    /// Where the replica finds the store.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn set(&self, state: LinkState) {
        self.state.send_replace(state);
    }
}

async fn relay(client: TcpStream, port: u16, states: watch::Receiver<LinkState>) {
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else { return };
    for stream in [&client, &server] {
        stream.set_nodelay(true).unwrap();
    }
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let mut until_cut = states.clone();
    // Whatever ends first ends both directions.
    tokio::select! {
        () = copy(&mut from_client, &mut to_server, states.clone(), false) => {}
        () = copy(&mut from_server, &mut to_client, states, true) => {}
        _ = until_cut.wait_for(|state| *state == LinkState::Cut) => {}
    }
}

async fn copy(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    mut states: watch::Receiver<LinkState>,
    is_from_store: bool,
) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        let state = *states.borrow();
        if let LinkState::Delayed(time) = state
            && is_from_store
        {
            tokio::time::sleep(time).await;
        }
        if states.wait_for(|state| *state != LinkState::Held).await.is_err() {
            return;
        }
        if to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}
