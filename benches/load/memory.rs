//! The memory that idle connections take, and large bodies while they pass.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use crate::client::{Load, Question};
use crate::peers::Peer;
use crate::plan::Plan;
use crate::upstream::{LARGE_BYTES, ResponseKind, Upstream};
use crate::{Result, can_open};

pub async fn idle(plan: &Plan, upstream: &Upstream, folder: &Path) -> Result<()> {
    println!("\nIdle keep-alive connections, each after one request");
    println!("| proxy | connections | resident before | resident after | KiB per connection |");
    println!("|---|---|---|---|---|");
    let question = Arc::new(Question::new(ResponseKind::Small, upstream));
    let secured = plan.bcproxies_and_nginx().map(Peer::over_tls);
    for (number, peer) in plan.bcproxies_and_nginx().cloned().chain(secured).enumerate() {
        for count in if plan.quick { vec![100] } else { vec![1_000, 10_000] } {
            if !can_open(count)? {
                println!("| {} | {count}: skipped, too few open files allowed (ulimit -n) | | | |", peer.name);
                continue;
            }
            let proxy = peer.start(upstream, &folder.join(format!("idle-{number}-{count}")))?;
            let (before, _) = proxy.memory()?;
            let mut loads = Vec::new();
            // A few at a time, so that the upstream connections are few.
            for _ in 0..count / IDLE_AT_ONCE {
                let mut load = Load::connect(&proxy, IDLE_AT_ONCE).await?;
                load.run(&question, IDLE_AT_ONCE).await?.complete()?;
                loads.push(load);
            }
            // Nobody is idle at once.
            tokio::time::sleep(plan.settling()).await;
            let (after, _) = proxy.memory()?;
            let each = after.saturating_sub(before) as f64 / count as f64;
            println!("| {} | {count} | {} MiB | {} MiB | {each:.1} |", peer.name, before / 1024, after / 1024);
        }
    }
    Ok(())
}

pub async fn large(plan: &Plan, upstream: &Upstream, folder: &Path) -> Result<()> {
    println!("\n{} GiB through the proxy", LARGE_BYTES >> 30);
    if plan.quick {
        println!("skipped: too long for a quick run");
        return Ok(());
    }
    println!("| proxy | of | resident before | highest while it passed | seconds | CPU seconds |");
    println!("|---|---|---|---|---|---|");
    for (of, response) in [("a file", ResponseKind::Large), ("2,048,000 addresses", ResponseKind::LargePage)] {
        let question = Arc::new(Question::new(response, upstream));
        for (number, peer) in plan.bcproxies_and_nginx().enumerate() {
            let proxy = peer.start(upstream, &folder.join(format!("large-{number}")))?;
            let (before, _) = proxy.memory()?;
            let cpu = proxy.cpu()?;
            let begun = Instant::now();
            Load::connect(&proxy, 1).await?.run(&question, 1).await?.complete()?;
            let (seconds, cpu) = (begun.elapsed().as_secs_f64(), (proxy.cpu()? - cpu).total().as_secs_f64());
            let (_, highest) = proxy.memory()?;
            let (before, highest) = (before as f64 / 1024.0, highest as f64 / 1024.0);
            println!("| {} | {of} | {before:.1} MiB | {highest:.1} MiB | {seconds:.2} | {cpu:.2} |", peer.name);
        }
    }
    Ok(())
}

const IDLE_AT_ONCE: usize = 20;
