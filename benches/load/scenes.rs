//! The scenes in which all proxies are compared, and the tables of what they cost there.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use crate::Result;
use crate::client::Question;
use crate::cost::{self, Costs, Demand};
use crate::figures::Range;
use crate::peers::{Kind, Peer};
use crate::plan::Plan;
use crate::upstream::{ResponseKind, Upstream};

/// One load: a response, asked for on so many connections.
pub struct Scene {
    pub part: &'static str,
    pub title: &'static str,
    response: ResponseKind,
    connections: usize,
    /// Requests in each round.
    requests: usize,
    /// How many a second at most; otherwise as fast as they are answered.
    rate: Option<u32>,
}

/// What each proxy cost in a scene, bcproxy first.
pub struct Compared<'a> {
    pub scene: &'a Scene,
    rows: Vec<(Peer, Costs)>,
}

pub const SCENES: [Scene; 12] = [
    small("Small GET", ResponseKind::Small),
    // A faster proxy has more waiting for it at every look, so its share of each wake-up is smaller. Here all have the
    // same.
    Scene { requests: 10_000, rate: Some(5_000), ..small("Small GET, 5,000 a second", ResponseKind::Small) },
    small("Small SOAP POST", ResponseKind::Soap),
    Scene { part: "limits", ..small("Small GET, with limits that delay no request and without", ResponseKind::Small) },
    Scene { part: "post", requests: 8_000, ..page("POST of an order of 64 KiB", ResponseKind::Post) },
    Scene { part: "post", requests: 8_000, ..page("POST of a text of 64 KiB", ResponseKind::PostText) },
    page("1 MiB page with 2,000 links", ResponseKind::Page),
    page("1 MiB page with 2,000 links, chunked upstream", ResponseKind::ChunkedPage),
    page("1 MiB page with 2,000 links, gzip upstream", ResponseKind::GzipPage),
    page("1 MiB page without links", ResponseKind::Plain),
    page("1 MiB file, in which nobody looks for links", ResponseKind::File),
    page("1 MiB file, gzip upstream: inflating alone", ResponseKind::GzipFile),
];

const fn small(title: &'static str, response: ResponseKind) -> Scene {
    Scene { part: "small", title, response, connections: 64, requests: 20_000, rate: None }
}

const fn page(title: &'static str, response: ResponseKind) -> Scene {
    Scene { part: "pages", title, response, connections: 8, requests: 600, rate: None }
}

impl Scene {
    /// Prints two tables: what each proxy costs, and bcproxy's share of it.
    pub async fn measure(&self, plan: &Plan, upstream: &Upstream, folder: &Path) -> Result<Compared<'_>> {
        let Self { title, connections, .. } = *self;
        let demand = Demand {
            question: Arc::new(Question::new(self.response, upstream)),
            prepared: Bytes::new(),
            connections,
            requests: plan.count(self.requests, 2 * connections),
            rate: self.rate,
        };
        let entries: Vec<_> = self.peers(plan).into_iter().map(|peer| (peer, demand.clone())).collect();
        let costs = cost::measure(&entries, plan.rounds, upstream, folder).await?;
        let rows: Vec<_> = entries.into_iter().map(|(peer, _)| peer).zip(costs).collect();
        println!("\n{title}, {connections} connections, rounds of {} requests: {}", demand.requests, plan.rounds);
        println!("| proxy | CPU µs per request | of which user | of which system | p50 ms | p99 ms | per second |");
        println!("|---|---|---|---|---|---|---|");
        for (peer, Costs { cpu, user, system, p50, p99, rate }) in &rows {
            println!("| {} | {cpu:.1} | {user:.1} | {system:.1} | {p50:.2} | {p99:.2} | {rate:.0} |", peer.name);
        }
        println!("\n{title}: CPU per request, as ratios of the same round");
        println!("| of | ÷ that of | ratio |");
        println!("|---|---|---|");
        for (peer, costs) in &rows {
            // The first that logs if this one does is bcproxy.
            if let Some((first, its)) = rows.iter().find(|(first, _)| first.logs == peer.logs)
                && first.name != peer.name
            {
                println!("| {} | {} | {:.2} |", first.name, peer.name, its.cpu.ratio_to(&costs.cpu));
            }
        }
        Ok(Compared { scene: self, rows })
    }

    /// Those that can be compared here, each with a name that says what it does not do.
    fn peers(&self, plan: &Plan) -> Vec<Peer> {
        match self.part {
            "limits" => plan.silent_peers().flat_map(Peer::with_and_without_limits).collect(),
            "small" => plan.peers.clone(),
            // A line in the log is nothing beside a page.
            "pages" => plan
                .silent_peers()
                .filter(|peer| peer.decompresses() || !self.response.is_compressed())
                .map(|peer| match peer.rewrites() {
                    true => peer.clone(),
                    false => Peer { name: format!("{}, not rewriting", peer.name), ..peer.clone() },
                })
                .collect(),
            _ => plan.silent_peers().cloned().collect(),
        }
    }
}

impl Compared<'_> {
    /// That to which all others are compared in the picture: nginx, or bcproxy where nginx is not installed.
    pub fn base(&self) -> Option<&str> {
        self.base_row().map(|(peer, _)| peer.name.as_str())
    }

    /// Each proxy's ratio to the base. Those that log are left out.
    pub fn ratios(&self) -> Vec<(&str, Range)> {
        let Some((_, base)) = self.base_row() else { return Vec::new() };
        self.silent_rows()
            .filter_map(|(peer, costs)| Some((peer.name.as_str(), costs.cpu.ratio_to(&base.cpu).range()?)))
            .collect()
    }

    fn base_row(&self) -> Option<&(Peer, Costs)> {
        let is_nginx = |(peer, _): &&(Peer, Costs)| matches!(peer.kind, Kind::Nginx { rewrites: false });
        self.silent_rows().find(is_nginx).or_else(|| self.silent_rows().next())
    }

    fn silent_rows(&self) -> impl Iterator<Item = &(Peer, Costs)> {
        self.rows.iter().filter(|(peer, _)| !peer.logs)
    }
}
