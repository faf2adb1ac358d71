//! The read cache of several replicas: a change through one is seen by each read that begins after it, through any.
//! Here the replicas are in the test's process.

use std::net::SocketAddr;
use std::path::Path;

use bcproxy::config::Config;
use bcproxy::proxy::Proxy;
use bcproxy::simulator::{Latch, Matcher, Script, Simulator, Times};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::redis_server::RedisServer;
use crate::rig::{Plan, Prepared, within};
use crate::store_link::{LinkState, StoreLink};

/// Two replicas with one cached route each, in front of one simulator.
struct Pair {
    simulator: Simulator,
    store: RedisServer,
    replicas: Vec<Replica>,
    /// The path of a customer.
    customer: String,
    _folder: TempDir,
}

struct Replica {
    proxy: Proxy,
    link: StoreLink,
}

/// A connection to a replica, and what came over it.
struct Client {
    address: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
}

/// What a read shows, and what the cache did for it.
#[derive(Debug)]
struct Seen {
    name: String,
    cache: String,
}

const ROUTES: &str = "routes: [ { path: /api, to: api/v2.0, cache: 24h } ]";

impl Pair {
    async fn start() -> Self {
        let plan = Plan::default().connector("limits: off").top(ROUTES);
        let Prepared { simulator, folder, file } = plan.prepare().await;
        let (text, store) = (std::fs::read_to_string(&file).unwrap(), RedisServer::start().await);
        let mut replicas = Vec::new();
        for _ in 0..2 {
            replicas.push(Replica::start(folder.path(), &text, &store).await);
        }
        let mut client = Client::connect(&replicas[0]).await;
        let (_, list) = client.send(Method::GET, "/api/customers?$top=1", "").await;
        let list: Value = serde_json::from_slice(&list).unwrap();
        let customer = format!("/api/customers({})", list["value"][0]["id"].as_str().unwrap());
        let pair = Self { simulator, store, replicas, customer, _folder: folder };
        pair.until_cached(0).await;
        pair.until_cached(1).await;
        pair
    }

    async fn client(&self, replica: usize) -> Client {
        Client::connect(&self.replicas[replica]).await
    }

    /// Waits until a read through this replica comes from its cache.
    async fn until_cached(&self, replica: usize) {
        let mut client = self.client(replica).await;
        within(async { while !client.read(&self.customer).await.is_hit() {} }).await;
    }

    /// Waits until the cache status of a read through this replica has this text.
    async fn until_bypassed(&self, replica: usize, detail: &str) {
        let mut client = self.client(replica).await;
        within(async { while !client.read(&self.customer).await.cache.contains(detail) {} }).await;
    }
}

impl Replica {
    async fn start(folder: &Path, text: &str, store: &RedisServer) -> Self {
        let link = StoreLink::start(store.port()).await;
        // All of this shares few cores: a slow machine is no outage.
        let shared = format!("shared_limits: {{ url: 'redis://{}', timeout: 2s }}\n", link.address());
        let file = folder.join("replica.yaml");
        std::fs::write(&file, format!("{text}{shared}")).unwrap();
        let config = Config::load(&file).unwrap_or_else(|mistakes| panic!("{mistakes}")).config;
        Self { proxy: Proxy::start(&config).await.unwrap(), link }
    }
}

impl Client {
    async fn connect(replica: &Replica) -> Self {
        let address = replica.proxy.addresses()[0].socket;
        let stream = TcpStream::connect(address).await.unwrap();
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self { address, sender }
    }

    async fn send(&mut self, method: Method, path: &str, body: &str) -> (String, Bytes) {
        let mut request = Request::builder().method(&method).uri(path).header("host", self.address.to_string());
        if method == Method::PATCH {
            request = request.header("content-type", "application/json").header("if-match", "*");
        }
        let request = request.body(Full::from(body.to_owned())).unwrap();
        within(self.sender.ready()).await.unwrap();
        let response = within(self.sender.send_request(request)).await.unwrap();
        let (status, cache) = (response.status(), response.headers().get("cache-status").cloned());
        let body = within(response.into_body().collect()).await.unwrap().to_bytes();
        assert_eq!(status, 200, "{method} {path}: {body:?}");
        (cache.map_or_else(String::new, |cache| cache.to_str().unwrap().to_owned()), body)
    }

    async fn rename(&mut self, path: &str, name: &str) {
        self.send(Method::PATCH, path, &format!("{{\"displayName\":\"{name}\"}}")).await;
    }

    async fn read(&mut self, path: &str) -> Seen {
        let (cache, body) = self.send(Method::GET, path, "").await;
        let body: Value = serde_json::from_slice(&body).unwrap();
        Seen { name: body["displayName"].as_str().unwrap().to_owned(), cache }
    }
}

impl Seen {
    fn is_hit(&self) -> bool {
        self.cache.starts_with("bcproxy; hit")
    }
}

/// Renames through one replica and reads through the other, in both directions. Returns how many reads were hits.
async fn change_and_read(pair: &Pair, rounds: std::ops::Range<usize>) -> usize {
    let mut clients = [pair.client(0).await, pair.client(1).await];
    let mut hits = 0;
    for round in rounds {
        let (writer, reader, name) = (round % 2, (round + 1) % 2, format!("name {round}"));
        clients[writer].rename(&pair.customer, &name).await;
        for _ in 0..2 {
            let seen = clients[reader].read(&pair.customer).await;
            assert_eq!(seen.name, name, "round {round}: {seen:?}");
            hits += usize::from(seen.is_hit());
        }
    }
    hits
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_change_through_one_replica_is_seen_through_the_other_ten_thousand_times() {
    let mut pair = Pair::start().await;
    let rounds = std::env::var("BCPROXY_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(10_000);
    let hits = change_and_read(&pair, 0..rounds / 3).await;
    assert!(hits > 0, "what a change makes invalid was cached before");
    pair.store.kill().await;
    change_and_read(&pair, rounds / 3..rounds / 2).await;
    pair.store.restart().await;
    let during = change_and_read(&pair, rounds / 2..2 * rounds / 3).await;
    pair.until_cached(0).await;
    pair.until_cached(1).await;
    let later = change_and_read(&pair, 2 * rounds / 3..rounds).await;
    println!("hits: {hits}, after the restart {during}, later {later}");
    assert!(later > 0);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_change_in_flight_or_without_an_outcome_keeps_its_company_uncached_everywhere() {
    let pair = Pair::start().await;
    let latch = Latch::closed();
    let patches = Matcher::any().method(Method::PATCH);
    pair.simulator.business_central().script(patches, Times::Next(1), Script::ordinary().hold_head(&latch));
    let mut writer = pair.client(0).await;
    let path = pair.customer.clone();
    let change = tokio::spawn(async move { writer.rename(&path, "held").await });
    within(pair.simulator.wait_for(|received| received.iter().any(|one| one.method == Method::PATCH))).await;
    let mut reader = pair.client(1).await;
    assert_eq!(reader.read(&pair.customer).await.cache, "bcproxy; fwd=bypass; detail=change");
    latch.open();
    within(change).await.unwrap();
    assert_eq!(reader.read(&pair.customer).await.name, "held");
    pair.until_cached(1).await;
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_replica_that_is_cut_off_keeps_the_others_from_their_caches_until_it_is_back() {
    let pair = Pair::start().await;
    pair.replicas[0].link.set(LinkState::Cut);
    pair.until_bypassed(0, "detail=shared-store").await;
    let mut clients = [pair.client(0).await, pair.client(1).await];
    for number in 0..20 {
        let name = format!("unseen {number}");
        clients[0].rename(&pair.customer, &name).await;
        let seen = clients[1].read(&pair.customer).await;
        assert_eq!((seen.name.as_str(), seen.is_hit()), (name.as_str(), false), "{seen:?}");
    }
    assert_eq!(clients[1].read(&pair.customer).await.cache, "bcproxy; fwd=bypass; detail=shared-store");
    pair.replicas[0].link.set(LinkState::Open);
    pair.until_cached(1).await;
    pair.until_cached(0).await;
    change_and_read(&pair, 0..20).await;
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_replica_that_stops_in_order_leaves_the_caches_of_the_others_on() {
    let mut pair = Pair::start().await;
    let Replica { proxy, .. } = pair.replicas.remove(0);
    proxy.drain(std::time::Duration::from_secs(60), CancellationToken::new()).await;
    let mut client = pair.client(0).await;
    assert!(client.read(&pair.customer).await.is_hit());
    // One that ends otherwise may still be there, and cut off.
    client.rename(&pair.customer, "alone").await;
    pair.until_cached(0).await;
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_store_that_lost_its_data_makes_everything_cached_invalid() {
    let pair = Pair::start().await;
    pair.store.flush().await;
    let mut clients = [pair.client(0).await, pair.client(1).await];
    for client in &mut clients {
        assert!(!client.read(&pair.customer).await.is_hit());
    }
    pair.until_cached(0).await;
    pair.until_cached(1).await;
    change_and_read(&pair, 0..20).await;
    let names = pair.store.keys().await.join(" ");
    let settings = pair.simulator.settings();
    let environment = settings.environment.to_ascii_lowercase();
    let company = settings.companies[0].id.to_string();
    assert!(![&*environment, &*company].iter().any(|name| names.to_ascii_lowercase().contains(*name)), "{names}");
}
