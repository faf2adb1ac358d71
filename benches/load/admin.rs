//! As many connections to the admin port as the proxy can open files, and what clients of the main port feel of them.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rlimit::Resource;
use tokio::net::{TcpSocket, TcpStream};

use crate::client::{Load, Question};
use crate::peers::Peer;
use crate::upstream::{ResponseKind, Upstream};
use crate::{Result, SPARE_FILES};

/// Responses to requests on new connections, while nobody closes any of those to the admin port.
pub async fn measure(
    peers: impl Iterator<Item = &Peer>,
    upstream: &Upstream,
    folder: &Path,
    count: usize,
) -> Result<()> {
    let (_, limit) = Resource::NOFILE.get()?;
    Resource::NOFILE.set(limit, limit)?;
    let count = count.min(usize::try_from(limit)?.saturating_sub(SPARE_FILES));
    println!("\n{count} connections to the admin port of a proxy that can open {} files", files(count));
    println!("| proxy | files it has open | requests on new connections | answered within 5 s | slowest ms |");
    println!("|---|---|---|---|---|");
    let question = Arc::new(Question::new(ResponseKind::Small, upstream));
    for (number, peer) in peers.enumerate() {
        let admin = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let peer = peer.with(|settings| {
            settings.admin = Some(admin);
            settings.files = Some(files(count));
        });
        let proxy = peer.start(upstream, &folder.join(format!("admin-{number}")))?;
        let mut idle = Vec::with_capacity(count);
        for number in 0..count {
            idle.push(connect(admin, number).await?);
        }
        let mut latencies = Vec::new();
        for _ in 0..REQUESTS {
            let begun = Instant::now();
            let ask = async { Load::connect(&proxy, 1).await?.run(&question, 1).await };
            if let Ok(Ok(outcome)) = tokio::time::timeout(PATIENCE, ask).await
                && outcome.failed == 0
            {
                latencies.push(begun.elapsed());
            }
        }
        let slowest =
            latencies.iter().max().map_or("–".to_owned(), |longest| format!("{:.1}", longest.as_secs_f64() * 1e3));
        let files = proxy.open_files()?;
        println!("| {} | {files} | {REQUESTS} | {} | {slowest} |", peer.name, latencies.len());
    }
    Ok(())
}

/// The limit on open files of a proxy, a little lower than the number of connections.
fn files(connections: usize) -> u64 {
    connections as u64 / 21 * 20
}

async fn connect(address: SocketAddr, number: usize) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    // One address has too few ports.
    socket.bind((Ipv4Addr::new(127, 0, 1, u8::try_from(number % 8)? + 1), 0).into())?;
    Ok(tokio::time::timeout(PATIENCE, socket.connect(address)).await??)
}

const REQUESTS: usize = 5;

const PATIENCE: Duration = Duration::from_secs(5);
