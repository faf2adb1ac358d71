//! A Windows service without Windows: the test sends the controls and reads the status.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use super::status::{Status, StatusSink};

/// What the service control manager was told.
#[derive(Clone)]
pub struct Reports {
    all: Arc<Mutex<Vec<Status>>>,
    changed: watch::Sender<Status>,
}

impl Default for Reports {
    fn default() -> Self {
        Self { all: Arc::default(), changed: watch::Sender::new(Status::Stopped { code: u8::MAX }) }
    }
}

impl StatusSink for Reports {
    fn report(&self, status: Status) {
        self.all.lock().unwrap().push(status);
        self.changed.send_replace(status);
    }
}

impl Reports {
    /// All of it, in its order.
    pub fn all(&self) -> Vec<Status> {
        self.all.lock().unwrap().clone()
    }

    /// The latest.
    pub fn latest(&self) -> Status {
        *self.all().last().unwrap()
    }

    /// Waits for such a status.
    pub async fn until(&self, is_it: impl Fn(&Status) -> bool) {
        let mut changes = self.changed.subscribe();
        let found = tokio::time::timeout(LONGEST_WAIT, changes.wait_for(is_it)).await;
        found.unwrap_or_else(|_| panic!("{:?}", self.all())).unwrap();
    }
}

const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The whole service in front of the simulator.
#[cfg(feature = "demo")]
mod with_the_simulator {
    use std::net::SocketAddr;

    use hyper::StatusCode;
    use tempfile::TempDir;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::task::JoinHandle;

    use super::super::reporter::Reporter;
    use super::super::status::Control;
    use super::*;
    use crate::config::Config;
    use crate::daemon::{Controls, Service, Signals};
    use crate::proxy::InheritedSockets;
    use crate::simulator::{Latch, Matcher, Script, Settings, Simulator, Times};
    use crate::telemetry::LogFilter;

    struct Running {
        simulator: Simulator,
        folder: TempDir,
        reporter: Arc<Reporter>,
        reports: Reports,
        address: SocketAddr,
        end: JoinHandle<()>,
    }

    impl Running {
        async fn start() -> Self {
            let simulator = Simulator::start(Settings::default()).await.unwrap();
            let folder = tempfile::tempdir().unwrap();
            write_files(&simulator, folder.path(), "/api");
            let (reports, controls) = (Reports::default(), Arc::<Controls>::default());
            let reporter = Arc::new(Reporter::new(Box::new(reports.clone()), controls.clone()));
            let file = folder.path().join("proxy.yaml");
            let loaded = Config::load(&file).unwrap();
            let signals = Signals::listen(controls).unwrap();
            let inherited = InheritedSockets::default();
            let service =
                Service::start(&file, &loaded, inherited, LogFilter::unused(), reporter.clone()).await.unwrap();
            let address = service.proxy.addresses()[0].socket;
            let end = tokio::spawn({
                let reporter = reporter.clone();
                async move {
                    service.run(signals).await;
                    reporter.stopped(0);
                }
            });
            reports.until(|status| *status == Status::Running).await;
            Self { simulator, folder, reporter, reports, address, end }
        }

        /// Sends a control while a request is under way, and checks that the request is finished first.
        async fn stop_with_a_request_under_way(self, control: Control) {
            let latch = Latch::closed();
            let script = Script::ordinary().hold_head(&latch);
            let business_central = self.simulator.business_central();
            business_central.script(Matcher::any().path_ending("/items"), Times::Always, script);
            let mut client = self.request("/api/items").await;
            let is_received = || self.simulator.received().iter().any(|request| request.target.contains("/items"));
            poll(async || is_received()).await;

            self.reporter.control(control);
            assert_eq!(self.reports.latest(), Status::Stopping { checkpoint: 1 }, "before the control has returned");
            self.reports.until(|status| matches!(status, Status::Stopping { checkpoint: 2.. })).await;
            assert!(!self.end.is_finished(), "the request is still under way");
            latch.open();
            assert_eq!(status(&mut client).await, StatusCode::OK);
            self.end.await.unwrap();
            assert_eq!(self.reports.latest(), Status::Stopped { code: 0 });
            TcpStream::connect(self.address).await.unwrap_err();
        }

        async fn request(&self, path: &str) -> TcpStream {
            let mut client = TcpStream::connect(self.address).await.unwrap();
            client.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.unwrap();
            client
        }
    }

    fn write_files(simulator: &Simulator, folder: &Path, path: &str) {
        let settings = simulator.settings();
        std::fs::write(folder.join("ca.pem"), simulator.ca_pem()).unwrap();
        std::fs::write(folder.join("secret.txt"), &settings.client_secret).unwrap();
        let text = format!(
            "listen: 127.0.0.1:0\nadmin: off\nroutes: [{{ path: {path}, to: api/v2.0 }}]\nconnectors:\n  one:\n    \
             tenant_id: {}\n    client_id: {}\n    client_secret: {{ file: secret.txt }}\n    environment: {}\n    \
             company: {}\n    authority: {}\n    base_url: {}\n    ca_file: ca.pem\n",
            settings.tenant_id,
            settings.client_id,
            settings.environment,
            settings.companies[0].name,
            simulator.authority(),
            simulator.base_url(),
        );
        std::fs::write(folder.join("proxy.yaml"), text).unwrap();
    }

    /// Waits until this holds, but not forever: Wine rejects a good certificate now and then.
    async fn poll(holds: impl AsyncFn() -> bool) {
        let polling = async {
            while !holds().await {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(LONGEST_WAIT, polling).await.unwrap();
    }

    async fn status(client: &mut TcpStream) -> StatusCode {
        let mut bytes = Vec::new();
        client.read_to_end(&mut bytes).await.unwrap();
        let head = String::from_utf8_lossy(&bytes);
        head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    #[tokio::test]
    async fn a_stop_finishes_the_request_under_way() {
        Running::start().await.stop_with_a_request_under_way(Control::Stop).await;
    }

    #[tokio::test]
    async fn a_planned_restart_of_windows_finishes_the_request_under_way() {
        Running::start().await.stop_with_a_request_under_way(Control::Preshutdown).await;
    }

    #[tokio::test]
    async fn param_change_reloads() {
        let running = Running::start().await;
        assert_eq!(status(&mut running.request("/other/items").await).await, StatusCode::NOT_FOUND);
        // Whether the file watcher or the control is first makes no difference.
        write_files(&running.simulator, running.folder.path(), "/other");
        running.reporter.control(Control::ParamChange);
        poll(async || status(&mut running.request("/other/items").await).await == StatusCode::OK).await;
        assert_eq!(running.reports.latest(), Status::Running);
        running.reporter.control(Control::Stop);
        running.end.await.unwrap();
        assert_eq!(running.reports.latest(), Status::Stopped { code: 0 });
    }
}
