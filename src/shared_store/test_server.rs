//! A real server for tests of the scripts and of what uses them.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::store::SharedStore;
use crate::config::SharedLimits;

/// A `redis-server` on a loopback port. Dropping it ends it.
pub struct TestServer {
    child: Child,
    port: u16,
}

impl TestServer {
    /// Starts it, empty.
    pub fn start() -> Self {
        loop {
            // Outside of the ports that outgoing connections get.
            if let Some(server) = Self::start_on(fastrand::u16(20_000..32_000)) {
                return server;
            }
        }
    }

    fn start_on(port: u16) -> Option<Self> {
        let mut child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .stdout(Stdio::piped())
            .spawn()
            .expect("install redis-server");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let is_ready = lines.any(|line| line.contains("Ready to accept connections"));
        std::thread::spawn(move || lines.for_each(drop));
        let server = Self { child, port };
        is_ready.then_some(server)
    }

    /// Starts it again on the same port, empty.
    pub fn restart(&mut self) {
        self.stop();
        *self = Self::start_on(self.port).expect("the port is taken");
    }

    /// Ends it.
    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// A connection.
    pub fn connect(&self) -> redis::Connection {
        redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).unwrap().get_connection().unwrap()
    }

    /// The store of another replica.
    pub async fn replica(&self) -> SharedStore {
        let settings = SharedLimits {
            url: format!("redis://127.0.0.1:{}", self.port).parse().unwrap(),
            user: None,
            password: None,
            ca_file: None,
            prefix: "bcproxy".to_owned(),
            // A busy machine is no outage.
            timeout: Duration::from_secs(20),
        };
        let store = SharedStore::start(&settings).await.unwrap();
        assert!(store.is_up());
        store
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stop();
    }
}
