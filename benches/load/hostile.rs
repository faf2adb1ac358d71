//! Clients that make the proxy hold what they can, and what others and the memory feel of it.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

use crate::client::{Load, Question};
use crate::peers::{Peer, Running, path_of};
use crate::upstream::{ResponseKind, Upstream};
use crate::{Result, can_open};

/// What hostile clients send, each on connections of its own, and then nothing more.
pub struct Attack {
    pub title: &'static str,
    connections: usize,
    /// `limits` of the connector.
    limits: &'static str,
    send: fn() -> Vec<u8>,
}

pub const ATTACKS: [Attack; 5] = [
    Attack {
        title: "5 uploads of 1 MiB, of which one byte arrives",
        connections: 5,
        limits: DEFAULT,
        send: || upload(1),
    },
    Attack {
        title: "75 uploads of 1 MiB, of which 1,000 bytes arrive",
        connections: 75,
        limits: DEFAULT,
        send: || upload(1_000),
    },
    Attack {
        title: "600 uploads of 1 MiB, of which all but a byte arrives",
        connections: 600,
        limits: DEFAULT,
        send: || upload(MIB),
    },
    Attack {
        title: "1,500 heads of 127 KiB without an end",
        connections: 1_500,
        limits: DEFAULT,
        send: || format!("GET /api/x HTTP/1.1\r\nHost: localhost\r\nX-Filling: {}", "x".repeat(127 << 10)).into_bytes(),
    },
    Attack {
        title: "the default queue, filled",
        connections: 10_000,
        limits: "{ requests: 20 per 24h, wait: 24h }",
        send: || format!("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", path_of(ResponseKind::Small)).into_bytes(),
    },
];

/// One attack after the other on one proxy each, and an ordinary request meanwhile.
pub async fn measure(
    attacks: &[&Attack],
    peers: impl Iterator<Item = &Peer>,
    upstream: &Upstream,
    folder: &Path,
    share: usize,
    settling: Duration,
) -> Result<()> {
    println!(
        "\nHostile clients, and an ordinary GET from another address; memory highest and {settling:?} after they left"
    );
    println!("| proxy | hostile clients | ordinary GET ms | resident before | highest | afterwards |");
    println!("|---|---|---|---|---|---|");
    let question = Arc::new(Question::new(ResponseKind::Small, upstream));
    for (number, peer) in peers.enumerate() {
        for (at, attack) in attacks.iter().enumerate() {
            if !can_open(attack.connections / share)? {
                println!("| {} | {}: skipped, too few open files allowed | | | | |", peer.name, attack.title);
                continue;
            }
            let peer = peer.with(|settings| settings.limits = attack.limits);
            let proxy = peer.start(upstream, &folder.join(format!("hostile-{number}-{at}")))?;
            let (before, _) = proxy.memory()?;
            let bytes = (attack.send)();
            let mut hostile = Vec::new();
            for _ in 0..(attack.connections / share).max(1) {
                hostile.push(send(&proxy, &bytes).await?);
            }
            // What they sent has arrived; nothing tells from outside when the proxy has taken it.
            tokio::time::sleep(settling.min(Duration::from_secs(2))).await;
            let begun = Instant::now();
            let ask = async { Load::connect(&proxy, 1).await?.run(&question, 1).await };
            let answered = match tokio::time::timeout(PATIENCE, ask).await {
                _ if attack.limits != DEFAULT => "queued".to_owned(),
                Ok(Ok(outcome)) if outcome.failed == 0 => format!("{:.1}", begun.elapsed().as_secs_f64() * 1e3),
                Ok(Ok(_)) => format!("rejected after {:.1}", begun.elapsed().as_secs_f64() * 1e3),
                Ok(Err(error)) => return Err(error),
                Err(_) => format!("none within {PATIENCE:?}"),
            };
            let (_, highest) = proxy.memory()?;
            drop(hostile);
            tokio::time::sleep(settling).await;
            let (after, _) = proxy.memory()?;
            let [before, highest, after] = [before, highest, after].map(|kib| kib as f64 / 1024.0);
            let title = attack.title;
            println!("| {} | {title} | {answered} | {before:.0} MiB | {highest:.0} MiB | {after:.0} MiB |", peer.name);
        }
    }
    Ok(())
}

async fn send(proxy: &Running, bytes: &[u8]) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::new(127, 0, 0, 3), 0).into())?;
    let mut stream = socket.connect(proxy.address).await?;
    // A proxy that rejects it may close while we send.
    let _ = tokio::time::timeout(PATIENCE, stream.write_all(bytes)).await;
    Ok(stream)
}

/// An upload of a MiB and a byte, of which this many bytes are sent.
fn upload(sent: usize) -> Vec<u8> {
    let head = format!("POST /api/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", MIB + 1);
    [head.into_bytes(), vec![b'x'; sent]].concat()
}

const DEFAULT: &str = "{}";

const MIB: usize = 1 << 20;

const PATIENCE: Duration = Duration::from_secs(5);
