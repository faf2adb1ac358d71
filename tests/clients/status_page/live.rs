//! The live page, its accessibility, and the page without a script.

use std::net::SocketAddr;
use std::time::Duration;

use bcproxy::simulator::{Latch, Matcher, Script, Times};
use hyper::{Method, StatusCode};
use tokio_util::task::AbortOnDropHandle;

use super::browser::{Browser, client_at, status_page};
use crate::process::Process;
use crate::rig::{Plan, Prepared, send, within};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium"]
async fn the_status_page_is_live_accessible_and_complete_without_a_script() {
    let service = Service::start().await;
    let mut browser = Browser::run("live.js", &[&service.admin]);
    let (mut requests, _traffic) = (Vec::new(), service.traffic());
    while let Some(order) = browser.order().await {
        requests.extend(service.carry_out(&order).await);
    }
    for request in requests {
        within(request).await.unwrap();
    }
}

/// bcproxy with three connectors, of which one is broken, and with some history.
struct Service {
    prepared: Prepared,
    proxy: SocketAddr,
    /// The address of the status page.
    admin: String,
    latch: Latch,
    /// Ends with this.
    _process: Process,
}

impl Service {
    async fn start() -> Self {
        let plan = Plan::default()
            .connector("limits: { concurrency: 2, requests: 6000 per 5m }")
            .another_connector("harbor", &["client_secret: { file: wrong.txt }"])
            .another_connector("export", &["limits: { concurrency: 2, requests: 6000 per 5m }"])
            .top("admin: { listen: 127.0.0.1:0 }\nroutes:")
            .top("  - { path: /api, connector: cronus, to: api/v2.0 }")
            .top("  - { path: /soap, connector: cronus, to: soap }")
            .top("  - { path: /harbor, connector: harbor, to: odata }")
            .top("  - { path: /export, connector: export, to: odata }");
        let prepared = plan.prepare().await;
        std::fs::write(prepared.folder.path().join("wrong.txt"), "wrong").unwrap();
        let mut process = Process::run(&prepared.file);
        let proxy = process.address().await;
        let admin = status_page(&mut process).await;
        let service = Self { prepared, proxy, admin, latch: Latch::closed(), _process: process };
        service.make_history().await;
        service
    }

    /// Requests of several clients, and twenty groups of problems.
    async fn make_history(&self) {
        for _ in 0..30 {
            self.get("/api/customers?$top=1", "scanner/2.1").await;
        }
        for _ in 0..4 {
            self.get("/export/Customer?$top=1", "Microsoft Excel/16.0").await;
        }
        for index in 0..6 {
            self.get(&format!("/api/nowhere({index})/lines"), "till/4").await;
        }
        for last in 21..38 {
            let address = format!("http://{}/api/nowhere({last})/lines", self.proxy);
            let response = within(client_at(last, "till/4").get(address).send()).await.unwrap();
            assert_eq!(response.status(), StatusCode::NOT_FOUND);
        }
        assert_eq!(self.get("/api/companies(2df6ab8a-0d6c-4cf1-a2a9-1c0a8d0d7c55)/items", "till/4").await, 403);
        assert_eq!(self.get("/harbor/Customer", "pick <by> \"voice\"/1").await, 503);
    }

    /// Lets a scanner and a till send requests as long as this is kept, so that the charts have something to show.
    fn traffic(&self) -> AbortOnDropHandle<()> {
        let proxy = self.proxy;
        AbortOnDropHandle::new(tokio::spawn(async move {
            let mut interval = tokio::time::interval(Duration::from_millis(200));
            for index in 0_u64.. {
                interval.tick().await;
                let user_agent = if index % 8 == 0 { "till/4" } else { "scanner/2.1" };
                let path = format!("/api/customers?$top={}", 1 + index * index % 97);
                send(proxy, Method::GET, &path, &[("user-agent", user_agent)], "").await;
            }
        }))
    }

    async fn get(&self, path: &str, user_agent: &str) -> StatusCode {
        send(self.proxy, Method::GET, path, &[("user-agent", user_agent)], "").await.status
    }

    /// Makes happen what the browser waits for. Requests that this begins end later.
    async fn carry_out(&self, order: &str) -> Vec<tokio::task::JoinHandle<()>> {
        let simulator = &self.prepared.simulator;
        match order {
            "use up a limit" => {
                let script = Script::response(StatusCode::OK).hold_head(&self.latch);
                simulator.business_central().script(Matcher::any().path_ending("/items"), Times::Always, script);
                let proxy = self.proxy;
                let request =
                    || tokio::spawn(async move { drop(send(proxy, Method::GET, "/api/items", &[], "").await) });
                (0..5).map(|_| request()).collect()
            }
            "release the limit" => {
                self.latch.open();
                Vec::new()
            }
            "refresh a token" => {
                simulator.entra().set_lifetime(Duration::from_secs(12), None);
                simulator.revoke_tokens();
                assert_eq!(self.get("/api/customers?$top=1", "scanner/2.1").await, 200);
                Vec::new()
            }
            "break a step" => {
                simulator.entra().replace_secrets(simulator.settings().client_id, "another");
                Vec::new()
            }
            "make a problem" => {
                assert_eq!(self.get("/api/nowhere(new)", "till/4").await, 404);
                Vec::new()
            }
            other => panic!("unknown order: {other}"),
        }
    }
}
