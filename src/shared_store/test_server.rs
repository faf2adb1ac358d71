//! A real server for tests of the shared store.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::store::SharedStore;
use crate::config::SharedLimits;

/// A `redis-server` on a loopback port. Dropping it ends it.
pub struct TestServer {
    child: Child,
    port: u16,
    folder: TempDir,
    arguments: Vec<String>,
}

impl TestServer {
    /// Starts it, empty.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with more arguments, each of which is split at spaces.
    pub fn start_with(arguments: &[&str]) -> Self {
        Self::start_in(TempDir::new().unwrap(), &[&["--port %"], arguments].concat())
    }

    /// Starts it in a folder, with the port only where `%` stands for it.
    pub fn start_in(folder: TempDir, arguments: &[&str]) -> Self {
        let arguments: Vec<String> = arguments.iter().flat_map(|words| words.split(' ')).map(str::to_owned).collect();
        for _ in 0..20 {
            // Outside of the ports that outgoing connections get.
            let port = fastrand::u16(20_000..32_000);
            if let Some(child) = run(folder.path(), port, &arguments) {
                return Self { child, port, folder, arguments };
            }
        }
        panic!("redis-server does not start with {arguments:?}");
    }

    /// Starts it again on the same port, empty.
    pub fn restart(&mut self) {
        self.stop();
        self.child = run(self.folder.path(), self.port, &self.arguments).expect("the port is taken");
    }

    /// Ends it.
    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder that it runs in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// How replicas reach it.
    pub fn settings(&self) -> SharedLimits {
        settings(&format!("redis://127.0.0.1:{}", self.port))
    }

    /// A connection.
    pub fn connect(&self) -> redis::Connection {
        redis::Client::open(self.settings().url.to_string()).unwrap().get_connection().unwrap()
    }

    /// The store of another replica.
    pub async fn replica(&self) -> SharedStore {
        let store = SharedStore::start(&self.settings()).await.unwrap();
        // A start waits a moment only, and a busy machine takes longer.
        let deadline = Instant::now() + Duration::from_secs(60);
        while !store.is_up() {
            assert!(Instant::now() < deadline, "{:?}", store.status());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        store
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The settings of a store at this address, without a sign-in.
pub fn settings(url: &str) -> SharedLimits {
    SharedLimits {
        url: url.parse().unwrap(),
        user: None,
        password: None,
        ca_file: None,
        prefix: "bcproxy".to_owned(),
        // A busy machine is no outage.
        timeout: Duration::from_secs(20),
    }
}

/// `None` if it ends, such as because the port is taken.
fn run(folder: &Path, port: u16, arguments: &[String]) -> Option<Child> {
    let mut child = Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--save", ""])
        .args(arguments.iter().map(|argument| argument.replace('%', &port.to_string())))
        .current_dir(folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("install redis-server");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    if lines.any(|line| line.contains("Ready to accept connections")) {
        std::thread::spawn(move || lines.for_each(drop));
        return Some(child);
    }
    let _ = child.wait();
    None
}
