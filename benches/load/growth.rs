//! How what bcproxy costs grows with what it has to do: a table for each series.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode};

use crate::client::{Question, connect_from};
use crate::cost::{self, Costs, Demand};
use crate::figures::Spread;
use crate::pages::{MIB, batch_response, page_with};
use crate::peers::Peer;
use crate::plan::Plan;
use crate::upstream::{ResponseKind, Upstream};
use crate::{Result, can_open};

/// A series of demands on a bcproxy, in each of which one number grows.
struct Series {
    title: &'static str,
    /// What the number counts.
    of: &'static str,
    numbers: &'static [usize],
    /// bcproxy with settings for the number, and what is asked of it.
    entry: fn(&Peer, usize, &Upstream, &Plan) -> (Peer, Demand),
    /// How many parts a request has, for a cost that is given for each.
    parts: fn(usize) -> f64,
    /// What it is given for.
    per: &'static str,
}

const SERIES: [Series; 5] = [
    Series {
        title: "Growth: GETs by connections",
        of: "connections",
        numbers: &[1, 8, 64, 512, 4_096, 10_000],
        entry: |peer, number, upstream, plan| {
            let requests = plan.count(20_000.max(2 * number), number);
            (peer.clone(), Demand { requests, ..demand(Question::new(ResponseKind::Small, upstream), number) })
        },
        parts: |_| 1.0,
        per: "request",
    },
    Series {
        title: "Growth: GETs by routes",
        of: "routes",
        numbers: &[1, 100, 10_000],
        entry: |peer, number, upstream, plan| {
            let requests = plan.count(20_000, 64);
            let peer = peer.with(|settings| settings.routes = number);
            (peer, Demand { requests, ..demand(Question::new(ResponseKind::Small, upstream), 64) })
        },
        parts: |_| 1.0,
        per: "request",
    },
    Series {
        title: "Growth: a page with a link in 512 bytes, by KiB",
        of: "KiB",
        numbers: &[1, 16, 256, 4_096, 65_536],
        entry: |peer, number, upstream, plan| {
            let bytes = number << 10;
            let requests = plan.count((ENOUGH_BYTES / bytes).clamp(4, 5_000), 1);
            let prepared = page_with(bytes, bytes / 512).into();
            let question = Question::new(ResponseKind::Prepared, upstream);
            (peer.clone(), Demand { requests, prepared, ..demand(question, 1) })
        },
        parts: |number| number as f64 / 1024.0,
        per: "MiB",
    },
    Series {
        title: "Growth: a page of 1 MiB by links",
        of: "links",
        numbers: &[0, 100, 2_000, 7_000],
        entry: |peer, number, upstream, plan| {
            let prepared = page_with(MIB, number).into();
            let question = Question::new(ResponseKind::Prepared, upstream);
            (peer.clone(), Demand { requests: plan.count(600, 8), prepared, ..demand(question, 8) })
        },
        parts: |_| 1.0,
        per: "page",
    },
    Series {
        title: "Growth: batches of reads by parts",
        of: "parts",
        numbers: &[1, 10, 100],
        entry: |peer, number, upstream, plan| {
            let small = String::from_utf8_lossy(upstream.small());
            let prepared = batch_response(number, &small).into();
            (peer.clone(), Demand { requests: plan.count(1_600, 8), prepared, ..demand(Question::batch(number), 8) })
        },
        parts: |number| number as f64,
        per: "part",
    },
];

const CONNECTORS: &str = "Growth: connectors";

fn demand(question: Question, connections: usize) -> Demand {
    Demand { question: Arc::new(question), prepared: Bytes::new(), connections, requests: connections, rate: None }
}

/// All series that the plan has.
pub async fn measure(plan: &Plan, upstream: &Upstream, folder: &Path) -> Result<()> {
    for series in SERIES.iter().filter(|series| plan.has("growth") || plan.names(series.title)) {
        series.measure(plan, upstream, folder).await?;
    }
    if plan.has("growth") || plan.names(CONNECTORS) {
        connectors(plan, upstream, folder).await?;
    }
    Ok(())
}

impl Series {
    async fn measure(&self, plan: &Plan, upstream: &Upstream, folder: &Path) -> Result<()> {
        println!("\n{}, rounds: {}", self.title, plan.rounds);
        let numbers = plan.numbers(self.numbers);
        let mut points = Vec::new();
        let mut entries = Vec::new();
        for &number in numbers {
            for peer in plan.bcproxies() {
                let entry = (self.entry)(peer, number, upstream, plan);
                // The proxy has as many connections to clients as this process, and some more to the upstream.
                if can_open(entry.1.connections + UPSTREAM_CONNECTIONS)? {
                    points.push((number, &peer.name));
                    entries.push(entry);
                } else {
                    println!("{number} {}: skipped, too few open files allowed (ulimit -n)", self.of);
                }
            }
        }
        let costs = cost::measure(&entries, plan.rounds, upstream, folder).await?;
        println!("| proxy | {} | CPU µs per {} | of which user | of which system |", self.of, self.per);
        println!("|---|---|---|---|---|");
        for ((number, name), Costs { cpu, user, system, .. }) in points.into_iter().zip(&costs) {
            let [cpu, user, system] = [cpu, user, system].map(|spread| spread.divided_by((self.parts)(number)));
            println!("| {name} | {number} | {cpu:.1} | {user:.1} | {system:.1} |");
        }
        Ok(())
    }
}

/// Memory and times by the number of connectors, each with a route of its own.
async fn connectors(plan: &Plan, upstream: &Upstream, folder: &Path) -> Result<()> {
    println!("\n{CONNECTORS}, rounds: {}", plan.rounds);
    let mut points: Vec<(usize, &Peer, [Spread; 3])> = Vec::new();
    for &number in plan.numbers(&[1, 100, 1_000, 10_000]) {
        points.extend(plan.bcproxies().map(|peer| (number, peer, Default::default())));
    }
    for round in 0..plan.rounds {
        for (at, (number, peer, spreads)) in points.iter_mut().enumerate() {
            let is_broken = round > 0 && spreads.iter().all(|spread| spread.range().is_none());
            let folder = folder.join(format!("connectors-{at}-{round}"));
            if !is_broken && let Err(error) = connectors_once(plan, peer, *number, upstream, &folder, spreads).await {
                // A number that is too high for one bcproxy may not be for the other.
                println!("{number}: {error}");
            }
        }
    }
    println!("| proxy | connectors | resident MiB | start to the first 200, ms | reload, ms |");
    println!("|---|---|---|---|---|");
    for (number, peer, [memory, first, reload]) in points {
        println!("| {} | {number} | {memory:.1} | {first:.1} | {reload:.1} |", peer.name);
    }
    Ok(())
}

async fn connectors_once(
    plan: &Plan,
    peer: &Peer,
    number: usize,
    upstream: &Upstream,
    folder: &Path,
    [memory, first, reload]: &mut [Spread; 3],
) -> Result<()> {
    let admin = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let peer = peer.with(|settings| {
        settings.connectors = number;
        settings.admin = Some(admin);
    });
    let proxy = peer.start(upstream, folder)?;
    tokio::time::sleep(plan.settling()).await;
    let (resident, _) = proxy.memory()?;
    let mut sender = connect_from(Ipv4Addr::LOCALHOST, admin).await?;
    let request = Request::post("/reload").header("host", admin.to_string()).body(Full::default())?;
    let begun = Instant::now();
    let response = tokio::time::timeout(LONGEST_RELOAD, sender.send_request(request)).await??;
    let status = response.status();
    response.into_body().collect().await?;
    if status != StatusCode::OK {
        return Err(format!("{} reloads with {status}", peer.name).into());
    }
    reload.add(begun.elapsed().as_secs_f64() * 1e3);
    first.add(proxy.first_response_after.as_secs_f64() * 1e3);
    memory.add(resident as f64 / 1024.0);
    Ok(())
}

/// That many bytes of responses are enough for a figure.
const ENOUGH_BYTES: usize = 256 * MIB;

/// As many as `limits` allow.
const UPSTREAM_CONNECTIONS: usize = 1_000;

const LONGEST_RELOAD: Duration = Duration::from_secs(60);
