//! Why is the till slow? Three situations, and what the page says first.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bcproxy::simulator::{Latch, Matcher, Script, Times};
use tokio_util::task::AbortOnDropHandle;

use super::browser::{Browser, client_at, status_page};
use crate::process::Process;
use crate::rig::{Plan, Prepared};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium"]
async fn the_page_says_first_why_the_till_is_slow() {
    let limited = Service::start("requests: 300 per 5m").await;
    let slow = Arc::new(Service::start("concurrency: 5").await);
    let crowded = Arc::new(Service::start("concurrency: 2").await);
    let services: [&Service; 3] = [&limited, &slow, &crowded];
    // The till, and what else a shop has.
    let mut traffic: Vec<_> = services.map(Service::calm_traffic).into_iter().flatten().collect();
    let mut browser = Browser::run("why.js", &services.map(|service| service.admin.as_str()));
    while let Some(order) = browser.order().await {
        match order.as_str() {
            "use up the limit" => {
                traffic
                    .extend((0..12).map(|index| limited.client(20 + index, "labels/2.0", Duration::from_millis(50))));
            }
            "slow Business Central down" => {
                traffic.push(respond_every(slow.clone(), Duration::from_millis(2500)));
                traffic.extend((0..2).map(|index| slow.client(20 + index, "scanner/2.1", Duration::from_millis(500))));
            }
            "let a client be greedy" => {
                traffic.push(respond_every(crowded.clone(), Duration::from_millis(200)));
                traffic.extend((0..16).map(|_| crowded.client(30, "export/1.0", Duration::ZERO)));
            }
            other => panic!("unknown order: {other}"),
        }
    }
}

/// bcproxy with one connector, in front of a simulator of its own.
struct Service {
    prepared: Prepared,
    proxy: SocketAddr,
    /// The address of the status page.
    admin: String,
    /// Ends with this.
    _process: Process,
}

impl Service {
    async fn start(limit: &str) -> Self {
        let plan = Plan::default().connector(&format!("limits: {{ {limit} }}")).top("admin: { listen: 127.0.0.1:0 }");
        let prepared = plan.prepare().await;
        let mut process = Process::run(&prepared.file);
        let proxy = process.address().await;
        let admin = status_page(&mut process).await;
        Self { prepared, proxy, admin, _process: process }
    }

    fn calm_traffic(&self) -> Vec<AbortOnDropHandle<()>> {
        let clients = [(11, "till/4", 900), (12, "till/4", 1100), (13, "scanner/2.1", 1300)];
        clients.map(|(last, agent, pause)| self.client(last, agent, Duration::from_millis(pause))).into()
    }

    /// A client at 127.0.0.`last` that sends one request after the other, as long as this is kept.
    fn client(&self, last: u8, user_agent: &str, pause: Duration) -> AbortOnDropHandle<()> {
        let client = client_at(last, user_agent);
        let address = format!("http://{}/api/customers?$top=1", self.proxy);
        AbortOnDropHandle::new(tokio::spawn(async move {
            loop {
                let response = client.get(&address).send().await.unwrap();
                response.bytes().await.unwrap();
                tokio::time::sleep(pause).await;
            }
        }))
    }
}

/// Lets Business Central respond to customers only at these intervals, as long as this is kept.
fn respond_every(service: Arc<Service>, interval: Duration) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        loop {
            let (latch, business_central) = (Latch::closed(), service.prepared.simulator.business_central());
            business_central.clear_scripts();
            let customers = Matcher::any().path_ending("/customers");
            business_central.script(customers, Times::Always, Script::ordinary().hold_head(&latch));
            tokio::time::sleep(interval).await;
            latch.open();
        }
    }))
}
