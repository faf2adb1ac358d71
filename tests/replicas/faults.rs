//! Faults of the shared store and of replicas. No request fails, overrun is within the guarantees of docs/replicas.md,
//! and everything is back to normal without a restart.

use std::time::Duration;

use bcproxy::simulator::{Latch, Matcher, Script, Times};
use hyper::StatusCode;

use crate::haproxy::Mode;
use crate::replicas::{AWAY, BACK, Layout, Load, Replica, Replicas};
use crate::rig::Plan;
use crate::store_link::LinkState;

const PATH: &str = "/api/items";

/// Permits of all replicas together.
const LIMIT: u64 = 5;

/// Replicas under load, whose requests stay at Business Central until the scene goes on.
struct Scene {
    replicas: Replicas,
    loads: Vec<Load>,
    latch: Latch,
}

impl Scene {
    /// All permits are in use, and each replica has more requests than there are permits.
    async fn start(count: usize) -> Self {
        let scene = Self::begin(Layout::new(plan(), count, Mode::Http)).await;
        scene.replicas.in_flight(LIMIT).await;
        scene
    }

    async fn begin(layout: Layout) -> Self {
        let (replicas, latch) = held(layout).await;
        // HAProxy would decide how many requests each one has.
        let load = |replica: &Replica| Load::start(replica.address, 12, PATH);
        let loads = replicas.replicas.iter().map(load).collect();
        Self { replicas, loads, latch }
    }

    /// The requests in flight end. Those that follow stay, until so many are in flight.
    async fn next(&mut self, in_flight: u64) {
        let (business_central, latch) = (self.replicas.simulator.business_central(), Latch::closed());
        business_central.clear_scripts();
        hold(business_central, &latch);
        std::mem::replace(&mut self.latch, latch).open();
        self.replicas.in_flight(in_flight).await;
    }

    /// The most requests that were in flight since this was last asked.
    fn peak(&self) -> u64 {
        peak(&self.replicas)
    }

    /// Requests stay at Business Central from now on.
    fn hold(&mut self) {
        self.latch = Latch::closed();
        hold(self.replicas.simulator.business_central(), &self.latch);
    }

    /// The requests in flight end, and so many follow to each replica.
    async fn flow(&self, requests: u64) {
        self.replicas.simulator.business_central().clear_scripts();
        self.latch.open();
        for load in &self.loads {
            load.proceed(requests).await;
        }
    }

    /// All is as it was before the fault.
    async fn end(mut self) {
        // Each replica has registered what it has.
        self.flow(30).await;
        self.hold();
        self.replicas.in_flight(LIMIT).await;
        self.peak();
        self.flow(100).await;
        assert!(self.peak() <= LIMIT);
        for load in self.loads {
            let outcomes = load.end().await;
            assert_eq!(outcomes.keys().collect::<Vec<_>>(), ["200"], "{outcomes:?}");
        }
    }
}

/// Replicas whose requests stay at Business Central until the latch opens.
async fn held(layout: Layout) -> (Replicas, Latch) {
    let latch = Latch::closed();
    let replicas = layout.start_after(|prepared| hold(prepared.simulator.business_central(), &latch)).await;
    (replicas, latch)
}

fn peak(replicas: &Replicas) -> u64 {
    let business_central = replicas.simulator.business_central();
    let peak = business_central.peak_concurrency();
    business_central.reset_peak_concurrency();
    peak as u64
}

fn plan() -> Plan {
    // Half of these are free at once. The scenes need far fewer.
    Plan::default().connector(&format!("limits: {{ concurrency: {LIMIT}, requests: 100000 per 5m, wait: 5m }}"))
}

fn hold(business_central: &bcproxy::simulator::BusinessCentral, latch: &Latch) {
    let response = Script::response(StatusCode::OK).send("done");
    business_central.script(Matcher::any().path_ending("/items"), Times::Always, response.hold_head(latch));
}

/// What a replica may use while the store is away.
fn share(replicas: u64) -> u64 {
    (LIMIT / replicas).max(1)
}

/// A fault that all replicas notice.
async fn survive(count: u64, fault: impl AsyncFn(&mut Replicas), repair: impl AsyncFn(&mut Replicas)) {
    let mut scene = Scene::start(count as usize).await;
    scene.peak();
    fault(&mut scene.replicas).await;
    scene.replicas.event(AWAY).await;
    scene.flow(50).await;
    let peak = scene.peak();
    assert!(peak <= LIMIT + count * share(count), "{peak}");
    // Requests with a permit of the store have ended.
    scene.hold();
    scene.replicas.in_flight(count * share(count)).await;
    let peak = scene.peak();
    assert!(peak <= count * share(count), "{peak}");
    repair(&mut scene.replicas).await;
    scene.replicas.event(BACK).await;
    scene.end().await;
}

#[tokio::test]
#[ignore = "needs redis-server and haproxy"]
async fn a_store_that_is_killed_and_started_again() {
    let kill = async |replicas: &mut Replicas| replicas.store.kill().await;
    survive(2, kill, async |replicas| replicas.store.restart().await).await;
}

#[tokio::test]
#[ignore = "needs redis-server and haproxy"]
async fn a_store_that_hangs() {
    let freeze = async |replicas: &mut Replicas| replicas.store.freeze().await;
    survive(2, freeze, async |replicas| replicas.store.thaw().await).await;
}

#[tokio::test]
#[ignore = "needs redis-server and haproxy"]
async fn a_paused_store() {
    let pause = async |replicas: &mut Replicas| replicas.store.pause_writes().await;
    survive(2, pause, async |replicas| replicas.store.unpause().await).await;
}

#[tokio::test]
#[ignore = "needs redis-server and haproxy"]
async fn a_full_store() {
    let fill = async |replicas: &mut Replicas| replicas.store.set_full(true).await;
    survive(2, fill, async |replicas| replicas.store.set_full(false).await).await;
}

#[tokio::test]
#[ignore = "needs redis-server and haproxy"]
async fn a_store_that_replies_after_two_seconds() {
    let set = |replicas: &Replicas, state| replicas.replicas.iter().for_each(|replica| replica.link.set(state));
    let delay = async |replicas: &mut Replicas| set(replicas, LinkState::Delayed(Duration::from_secs(2)));
    survive(2, delay, async |replicas| set(replicas, LinkState::Open)).await;
}

#[tokio::test]
#[ignore = "needs redis-server and haproxy"]
async fn more_replicas_than_permits_without_a_store() {
    let kill = async |replicas: &mut Replicas| replicas.store.kill().await;
    survive(6, kill, async |replicas| replicas.store.restart().await).await;
}

#[tokio::test]
#[ignore = "needs redis-server and haproxy"]
async fn a_flushed_store_is_complete_again_and_no_replica_counts_as_cut_off() {
    let mut scene = Scene::start(3).await;
    scene.peak();
    for _ in 0..10 {
        scene.replicas.store.flush().await;
        scene.next(LIMIT).await;
        let peak = scene.peak();
        // Until each replica has called it once.
        assert!(peak < 2 * LIMIT, "{peak}");
    }
    for replica in &scene.replicas.replicas {
        assert_eq!(replica.metric("bcproxy_shared_store_outages_total").await, 0.0);
    }
    scene.end().await;
}

#[tokio::test]
#[ignore = "needs redis-server and haproxy"]
async fn one_replica_that_is_cut_off_uses_its_share_beside_the_limit() {
    for state in [LinkState::Cut, LinkState::Held] {
        let mut scene = Scene::start(2).await;
        scene.peak();
        scene.replicas.replicas[0].link.set(state);
        scene.replicas.replicas[0].event(AWAY).await;
        scene.flow(100).await;
        let peak = scene.peak();
        assert!(peak <= LIMIT + share(2), "{peak}");
        scene.replicas.replicas[0].link.set(LinkState::Open);
        scene.replicas.replicas[0].event(BACK).await;
        scene.end().await;
    }
}

#[tokio::test]
#[ignore = "needs redis-server and haproxy"]
async fn a_replica_that_is_killed_leaves_its_permits_to_the_others() {
    let (mut replicas, latch) = held(Layout::new(plan(), 2, Mode::Http)).await;
    let load = Load::start(replicas.balancer.address, 24, PATH);
    replicas.in_flight(LIMIT).await;
    let lost = replicas.replicas[0].limiter().await.0;
    peak(&replicas);
    replicas.kill(0).await;
    // HAProxy retries its reads at the other one. That one has all permits, once the leases have expired.
    replicas.in_flight(LIMIT).await;
    let most = peak(&replicas);
    assert!(most <= LIMIT + lost, "{most} with {lost}");
    replicas.simulator.business_central().clear_scripts();
    latch.open();
    load.proceed(100).await;
    replicas.restart(0).await;
    replicas.replicas[0].served(50).await;
    peak(&replicas);
    load.proceed(100).await;
    assert!(peak(&replicas) <= LIMIT);
    let outcomes = load.end().await;
    assert_eq!(outcomes.keys().collect::<Vec<_>>(), ["200"], "{outcomes:?}");
}

#[tokio::test]
#[ignore = "needs redis-server and haproxy"]
async fn replicas_that_start_without_a_store_assume_two() {
    let mut scene = Scene::begin(Layout::new(plan(), 2, Mode::Http).without_store()).await;
    scene.replicas.in_flight(2 * share(2)).await;
    assert_eq!(scene.peak(), 2 * share(2));
    scene.replicas.store.restart().await;
    scene.replicas.event(BACK).await;
    scene.end().await;
}
