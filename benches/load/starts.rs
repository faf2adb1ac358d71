//! How soon a proxy serves after its start, and what happens to everybody who comes before.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::client::{Load, Question};
use crate::figures::Spread;
use crate::peers::{Peer, Running};
use crate::plan::Plan;
use crate::upstream::{ResponseKind, Upstream};
use crate::{Result, can_open};

pub fn first_response(plan: &Plan, upstream: &Upstream, folder: &Path) -> Result<()> {
    println!("\nStart of the process to the first 200, token and company look-up included");
    println!("| proxy | ms |");
    println!("|---|---|");
    let mut rows: Vec<(&Peer, Spread)> = plan.bcproxies_and_nginx().map(|peer| (peer, Spread::default())).collect();
    for round in 0..plan.count(2 * plan.rounds, 1) {
        for (number, (peer, milliseconds)) in rows.iter_mut().enumerate() {
            let proxy = peer.start(upstream, &folder.join(format!("start-{number}-{round}")))?;
            milliseconds.add(proxy.first_response_after.as_secs_f64() * 1000.0);
        }
    }
    for (peer, milliseconds) in rows {
        println!("| {} | {milliseconds:.1} |", peer.name);
    }
    Ok(())
}

/// Everybody comes at once while Entra still thinks about the first token.
pub async fn cold(plan: &Plan, upstream: &Upstream, folder: &Path) -> Result<()> {
    let count = plan.count(1_000, 50);
    println!("\n{count} requests at once at a proxy that has no token yet");
    if !can_open(2 * count)? {
        println!("skipped: too few open files allowed (ulimit -n)");
        return Ok(());
    }
    println!("| proxy | token requests | answered with 200 | failed |");
    println!("|---|---|---|---|");
    upstream.delay_tokens(TOKEN_DELAY);
    let question = Arc::new(Question::new(ResponseKind::Small, upstream));
    for (number, peer) in plan.bcproxies().enumerate() {
        let tokens = upstream.token_requests();
        let proxy = peer.spawn(upstream, &folder.join(format!("cold-{number}")))?;
        let mut load = connect_once_open(&proxy, count).await?;
        let outcome = load.run(&question, count).await?;
        let tokens = upstream.token_requests() - tokens;
        println!("| {} | {tokens} | {} | {} |", peer.name, outcome.answered(), outcome.failed);
    }
    upstream.delay_tokens(Duration::ZERO);
    Ok(())
}

async fn connect_once_open(proxy: &Running, count: usize) -> Result<Load> {
    let begun = Instant::now();
    loop {
        match Load::connect(proxy, 1).await {
            Ok(_) => return Load::connect(proxy, count).await,
            Err(error) if begun.elapsed() > Duration::from_secs(10) => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
}

/// Long enough for everybody to be waiting.
const TOKEN_DELAY: Duration = Duration::from_millis(500);
