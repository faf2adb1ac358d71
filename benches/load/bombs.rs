//! Small bodies that are a lot of work, and what other clients feel of them.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::Result;
use crate::client::{Load, Question, connect_from};
use crate::peers::{Peer, path_of};
use crate::upstream::{ResponseKind, Upstream};

pub const TITLE: &str = "16 gzip bind bombs";

/// The longest waits of ordinary clients, and of who asks for `/livez`, without bombs and beside them.
pub async fn measure(peer: &Peer, upstream: &Upstream, folder: &Path, rounds: usize) -> Result<()> {
    let admin = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let folder = folder.join(format!("{}-bombs", peer.name).replace(' ', "-"));
    let proxy = peer.with(|settings| settings.admin = Some(admin)).start(upstream, &folder)?;
    let question = Arc::new(Question::new(ResponseKind::Small, upstream));
    let bomb = bomb()?;
    println!(
        "\n{}: {TITLE} of {} KiB, {rounds} rounds, beside {ORDINARY} ordinary clients",
        peer.name,
        bomb.len() >> 10
    );
    println!(
        "| beside | longest GET ms | longest /livez ms | failed GETs | rejected bombs | resident at its highest |"
    );
    println!("|---|---|---|---|---|---|");
    for (name, bombs) in [("nothing", 0), ("bombs", BOMBS)] {
        let mut load = Load::connect(&proxy, ORDINARY).await?;
        let senders: Vec<_> = (0..bombs).map(|_| tokio::spawn(send(proxy.address, bomb.clone(), rounds))).collect();
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let livez = AbortOnDropHandle::new(tokio::spawn(longest_livez(admin, stopped)));
        let mut outcome = load.run_at_rate(&question, RATE as usize, Some(RATE)).await?;
        while senders.iter().any(|sender| !sender.is_finished()) {
            outcome = outcome.with(load.run_at_rate(&question, RATE as usize / 4, Some(RATE)).await?);
        }
        stop.send(true)?;
        let livez = timeout(LONGEST, livez).await???;
        let mut rejected = 0;
        for sender in senders {
            rejected += sender.await??;
        }
        let (longest, failed) = (outcome.percentile(100), outcome.failed);
        let (livez, (_, highest)) = (livez.as_secs_f64() * 1000.0, proxy.memory()?);
        println!("| {name} | {longest:.1} | {livez:.1} | {failed} | {rejected} | {} MiB |", highest / 1024);
    }
    Ok(())
}

/// Gzip that opens to four million addresses.
fn bomb() -> Result<Bytes> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let addresses = "\"a\",".repeat(ADDRESSES);
    write!(encoder, "{{\"x@odata.bind\":[{addresses}\"a\"]}}")?;
    Ok(encoder.finish()?.into())
}

/// Sends the bomb so many times, one after the other. How many were rejected as too large.
async fn send(proxy: SocketAddr, bomb: Bytes, rounds: usize) -> Result<usize> {
    let mut rejected = 0;
    for _ in 0..rounds {
        let mut sender = connect_from(BOMBER, proxy).await?;
        let request = Request::builder()
            .method(Method::POST)
            .uri(path_of(ResponseKind::Small))
            .header("host", "localhost:8080")
            .header("content-type", "application/json")
            .header("content-encoding", "gzip")
            .body(Full::new(bomb.clone()))?;
        let response = timeout(LONGEST, sender.send_request(request)).await??;
        rejected += usize::from(response.status() == StatusCode::PAYLOAD_TOO_LARGE);
        timeout(LONGEST, response.into_body().collect()).await??;
    }
    Ok(rejected)
}

/// Asks for `/livez` until it is told to stop; the longest time that an answer took.
async fn longest_livez(admin: SocketAddr, stopped: tokio::sync::watch::Receiver<bool>) -> Result<Duration> {
    let (mut sender, mut longest) = (connect_from(WATCHER, admin).await?, Duration::ZERO);
    while !*stopped.borrow() {
        sender.ready().await?;
        let request = Request::get("/livez").header("host", admin.to_string()).body(Full::default())?;
        let asked = Instant::now();
        sender.send_request(request).await?.into_body().collect().await?;
        longest = longest.max(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(longest)
}

const BOMBS: usize = 16;

const ADDRESSES: usize = 4_000_000;

const BOMBER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
const WATCHER: Ipv4Addr = Ipv4Addr::LOCALHOST;

const ORDINARY: usize = 4;

/// A second, of all ordinary clients together.
const RATE: u32 = 200;

/// What takes longer is broken.
const LONGEST: Duration = Duration::from_secs(300);
