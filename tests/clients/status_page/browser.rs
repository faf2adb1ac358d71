//! Chromium, driven by a script.

use std::net::IpAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::process::{Process, message};
use crate::rig::within;

/// A running script.
pub struct Browser {
    node: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Browser {
    /// Runs a script of this folder against status pages at these addresses.
    pub fn run(script: &str, addresses: &[&str]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let screenshots = root.join("target/screenshots");
        std::fs::create_dir_all(&screenshots).unwrap();
        let mut node = Command::new("node");
        node.arg(root.join("tests/clients/status_page").join(script)).arg(screenshots).args(addresses);
        let mut node = node.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let lines = BufReader::new(node.stdout.take().unwrap()).lines();
        Self { node, lines }
    }

    /// What the script asks for next; `None` once it has ended, which is a success.
    pub async fn order(&mut self) -> Option<String> {
        loop {
            let line =
                tokio::time::timeout(PATIENCE, self.lines.next_line()).await.expect("the browser hangs").unwrap();
            let Some(line) = line else {
                assert!(within(self.node.wait()).await.unwrap().success(), "see what it printed");
                return None;
            };
            match line.strip_prefix("do ") {
                Some(order) => return Some(order.to_owned()),
                None => println!("{line}"),
            }
        }
    }
}

/// The address of the next status page that a process logs, with a slash at its end.
pub async fn status_page(process: &mut Process) -> String {
    const LINE: &str = "status page on ";
    let line = process.log_line(|line| message(line).starts_with(LINE)).await;
    message(&line).trim_start_matches(LINE).to_owned()
}

/// A client at 127.0.0.`last`.
pub fn client_at(last: u8, user_agent: &str) -> reqwest::Client {
    let tls = bcproxy::tls::client_config(None).unwrap();
    let client = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().user_agent(user_agent);
    client.local_address(IpAddr::from([127, 0, 0, last])).build().unwrap()
}

/// Longer than any single wait of the browser.
const PATIENCE: Duration = Duration::from_secs(120);
