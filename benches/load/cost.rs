//! What requests cost a proxy: rounds in which all that are compared alternate.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::Result;
use crate::client::{Load, Question};
use crate::figures::Spread;
use crate::peers::{Peer, Running};
use crate::upstream::Upstream;

/// A question, asked on so many connections.
#[derive(Clone)]
pub struct Demand {
    pub question: Arc<Question>,
    /// What the upstream responds with, where the question asks for a prepared response.
    pub prepared: Bytes,
    pub connections: usize,
    /// Requests in each round.
    pub requests: usize,
    /// How many a second at most; otherwise as fast as they are answered.
    pub rate: Option<u32>,
}

/// What it cost, a figure for each round.
#[derive(Clone, Default)]
pub struct Costs {
    /// µs of all threads, per request.
    pub cpu: Spread,
    pub user: Spread,
    pub system: Spread,
    /// In ms.
    pub p50: Spread,
    pub p99: Spread,
    /// Requests per second.
    pub rate: Spread,
}

/// The costs of each proxy under its demand.
pub async fn measure(
    entries: &[(Peer, Demand)],
    rounds: usize,
    upstream: &Upstream,
    folder: &Path,
) -> Result<Vec<Costs>> {
    let mut costs = vec![Costs::default(); entries.len()];
    let mut order: Vec<usize> = (0..entries.len()).collect();
    for _ in 0..rounds {
        // Neither a place in the round nor a predecessor favors anybody.
        fastrand::shuffle(&mut order);
        for &number in &order {
            let (peer, demand) = &entries[number];
            // A process of its own every time: where its memory happens to lie makes a difference, too.
            let proxy = peer.start(upstream, &folder.join(format!("load-{number}")))?;
            upstream.prepare(demand.prepared.clone());
            demand.once(&proxy, &mut costs[number]).await.map_err(|error| format!("{}: {error}", peer.name))?;
        }
    }
    Ok(costs)
}

impl Demand {
    async fn once(&self, proxy: &Running, costs: &mut Costs) -> Result<()> {
        let mut load = Load::connect(proxy, self.connections).await?;
        load.run(&self.question, 2 * self.connections).await?.complete()?;
        let (cpu, begun) = (proxy.cpu()?, Instant::now());
        let outcome = load.run_at_rate(&self.question, self.requests, self.rate).await?.complete()?;
        let (cpu, seconds) = (proxy.cpu()? - cpu, begun.elapsed().as_secs_f64());
        let count = outcome.answered() as f64;
        for (spread, time) in
            [(&mut costs.cpu, cpu.total()), (&mut costs.user, cpu.user), (&mut costs.system, cpu.system)]
        {
            spread.add(time.as_secs_f64() * 1e6 / count);
        }
        costs.p50.add(outcome.percentile(50));
        costs.p99.add(outcome.percentile(99));
        costs.rate.add(count / seconds);
        Ok(())
    }
}
