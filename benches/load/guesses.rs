//! Wrong passwords, as many as somebody can send, and what another client feels of them.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, StatusCode};
use tokio::task::JoinSet;

use crate::Result;
use crate::client::{Load, Question, connect_from};
use crate::peers::Peer;
use crate::peers::bcproxy::GUARDED;
use crate::upstream::{ResponseKind, Upstream};

pub const TITLE: &str = "wrong passwords";

/// What became of the guesses.
#[derive(Default)]
struct Responses {
    wrong: AtomicUsize,
    too_many: AtomicUsize,
    other: AtomicUsize,
}

/// The waits of an ordinary client without guesses and beside them, for so many seconds.
pub async fn measure(peer: &Peer, upstream: &Upstream, folder: &Path, seconds: usize) -> Result<()> {
    let folder = folder.join(format!("{}-guesses", peer.name).replace(' ', "-"));
    let proxy = peer.with(|settings| settings.guarded = true).start(upstream, &folder)?;
    let question = Arc::new(Question::new(ResponseKind::Small, upstream));
    println!(
        "\n{}: {GUESSES} {TITLE} a second for {seconds} s from one address, beside another client's GETs",
        peer.name
    );
    println!("| beside | median GET ms | 99 % | longest | failed GETs | 401 | 429 | other | resident at its highest |");
    println!("|---|---|---|---|---|---|---|---|---|");
    for (name, guesses) in [("nothing", 0), (TITLE, GUESSES)] {
        let mut load = Load::connect(&proxy, ORDINARY).await?;
        let responses = Arc::new(Responses::default());
        let guessing = tokio::spawn(guess(proxy.address, guesses * seconds, responses.clone()));
        let outcome = load.run_at_rate(&question, RATE as usize * seconds, Some(RATE)).await?;
        // What is not answered by now waits for its delay.
        guessing.abort();
        let [median, high, longest] = [50, 99, 100].map(|percent| outcome.percentile(percent));
        let [wrong, too_many, other] =
            [&responses.wrong, &responses.too_many, &responses.other].map(|count| count.load(Ordering::Relaxed));
        let (_, highest) = proxy.memory()?;
        println!(
            "| {name} | {median:.1} | {high:.1} | {longest:.1} | {} | {wrong} | {too_many} | {other} | {} MiB |",
            outcome.failed,
            highest / 1024
        );
    }
    Ok(())
}

/// Sends so many wrong passwords, each on a connection of its own, and waits for all responses.
async fn guess(proxy: SocketAddr, count: usize, responses: Arc<Responses>) -> Result<()> {
    let mut sent = JoinSet::new();
    let mut next = tokio::time::Instant::now();
    for number in 0..count {
        next += Duration::from_secs(1) / u32::try_from(GUESSES)?;
        tokio::time::sleep_until(next).await;
        let responses = responses.clone();
        sent.spawn(async move {
            let count = match wrong_password(proxy, number).await {
                Ok(StatusCode::UNAUTHORIZED) => &responses.wrong,
                Ok(StatusCode::TOO_MANY_REQUESTS) => &responses.too_many,
                _ => &responses.other,
            };
            count.fetch_add(1, Ordering::Relaxed);
        });
    }
    while sent.join_next().await.is_some() {}
    Ok(())
}

async fn wrong_password(proxy: SocketAddr, number: usize) -> Result<StatusCode> {
    let mut sender = connect_from(GUESSER, proxy).await?;
    let request = Request::get(format!("{GUARDED}/customers"))
        .header("host", "localhost:8080")
        .header("authorization", format!("Basic {}", STANDARD.encode(format!("anna:{number}"))))
        .body(Full::<Bytes>::default())?;
    Ok(sender.send_request(request).await?.status())
}

/// A second.
const GUESSES: usize = 1000;

const GUESSER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 5);

const ORDINARY: usize = 4;

/// A second, of all ordinary clients together.
const RATE: u32 = 200;
