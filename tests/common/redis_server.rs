//! A real Redis that a test starts on a loopback port, kills, freezes and fills.
#![allow(dead_code, reason = "no test program uses all of it")]

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};

use crate::rig::{certify, within};

/// A Redis without a file: a restart empties it. Dropping it kills it.
pub struct RedisServer {
    port: u16,
    settings: Vec<String>,
    folder: TempDir,
    is_secured: bool,
    child: Option<Child>,
}

/// What Redis replies to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Nil,
    Integer(i64),
    Text(String),
    List(Vec<Reply>),
    Error(String),
}

impl RedisServer {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with settings as on the command line, such as `["--maxmemory", "1mb"]`.
    pub async fn start_with(settings: &[&str]) -> Self {
        Self::start_on_a_free_port(settings, false).await
    }

    /// Speaks TLS only, with a certificate for `localhost` from the authority in [`ca_file`](Self::ca_file).
    pub async fn start_secured(settings: &[&str]) -> Self {
        Self::start_on_a_free_port(settings, true).await
    }

    async fn start_on_a_free_port(settings: &[&str], is_secured: bool) -> Self {
        let folder = TempDir::new().unwrap();
        if is_secured {
            certify(folder.path());
        }
        let settings = settings.iter().map(ToString::to_string).collect();
        let mut server = Self { port: 0, settings, folder, is_secured, child: None };
        for _ in 0..50 {
            server.port = free_port();
            if server.try_start().await {
                return server;
            }
        }
        panic!("redis-server does not start");
    }

    /// Whether it serves; otherwise it has ended, such as because the port is taken.
    async fn try_start(&mut self) -> bool {
        let port = self.port.to_string();
        let mut command = Command::new("redis-server");
        match self.is_secured {
            false => command.args(["--port", &port]),
            true => command.args(["--port", "0", "--tls-port", &port, "--tls-auth-clients", "no"]).args([
                "--tls-cert-file",
                "server.pem",
                "--tls-key-file",
                "server-key.pem",
                "--tls-ca-cert-file",
                "local-ca.pem",
            ]),
        };
        command
            .args(["--bind", "127.0.0.1", "-::1", "--save", "", "--appendonly", "no"])
            .args(["--unixsocket", "control", "--user", CONTROL_USER, "on", "nopass", "+@all", "~*", "&*"])
            .args(&self.settings)
            .current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().expect("install redis-server");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        while let Some(line) = within(lines.next_line()).await.unwrap() {
            if line.contains("Ready to accept connections") {
                // A full pipe would stop it.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                self.child = Some(child);
                return true;
            }
        }
        false
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// For `url` in `shared_limits`.
    pub fn url(&self) -> String {
        match self.is_secured {
            false => format!("redis://127.0.0.1:{}", self.port),
            true => format!("rediss://localhost:{}", self.port),
        }
    }

    /// For `ca_file`: the authority that issued the certificate, if it speaks TLS.
    pub fn ca_file(&self) -> Option<PathBuf> {
        self.is_secured.then(|| self.folder.path().join("local-ca.pem"))
    }

    /// Whether it was started, and not killed.
    pub fn is_running(&self) -> bool {
        self.child.is_some()
    }

    /// Ends it as a power failure does. Whatever it held is lost.
    pub async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().await.unwrap();
        }
    }

    /// Starts it on the same port, empty.
    pub async fn restart(&mut self) {
        self.kill().await;
        assert!(self.try_start().await, "redis-server does not start again on port {}", self.port);
    }

    /// Stops the process until [`thaw`](Self::thaw): connections stay open, and nothing gets a reply.
    pub async fn freeze(&self) {
        self.signal("STOP").await;
    }

    pub async fn thaw(&self) {
        self.signal("CONT").await;
    }

    async fn signal(&self, name: &str) {
        let id = self.child.as_ref().and_then(Child::id).expect("it has ended").to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().await.unwrap().success());
    }

    /// `CLIENT PAUSE`: for this time, no command gets a reply.
    pub async fn pause(&self, time: Duration) {
        self.command(&["CLIENT", "PAUSE", &time.as_millis().to_string(), "ALL"]).await;
    }

    /// The same for commands that write, and for scripts, until [`unpause`](Self::unpause).
    pub async fn pause_writes(&self) {
        self.command(&["CLIENT", "PAUSE", "600000", "WRITE"]).await;
    }

    pub async fn unpause(&self) {
        self.command(&["CLIENT", "UNPAUSE"]).await;
    }

    pub async fn flush(&self) {
        self.command(&["FLUSHALL"]).await;
    }

    /// Has it reject everything that needs memory, as a Redis does that has reached `maxmemory`.
    pub async fn set_full(&self, is_full: bool) {
        self.command(&["CONFIG", "SET", "maxmemory", if is_full { "1" } else { "0" }]).await;
    }

    /// Closes all connections but the tests' own.
    pub async fn disconnect_clients(&self) {
        self.command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
        self.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
    }

    /// How many scripts its clients have called. What these call in turn does not count.
    pub async fn script_calls(&self) -> u64 {
        let Reply::Text(text) = self.command(&["INFO", "commandstats"]).await else { panic!("INFO has no text") };
        let calls = text.lines().filter_map(|line| {
            let (command, figures) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            let calls = figures.split(',').next()?;
            ["eval", "evalsha"].contains(&command).then(|| calls.parse::<u64>().unwrap())
        });
        calls.sum()
    }

    /// The names of all keys.
    pub async fn keys(&self) -> Vec<String> {
        let Reply::List(keys) = self.command(&["KEYS", "*"]).await else { panic!("KEYS has no list") };
        let text = |key| match key {
            Reply::Text(key) => key,
            other => panic!("{other:?}"),
        };
        keys.into_iter().map(text).collect()
    }

    /// Sends one command. An error is a failure of the test.
    pub async fn command(&self, words: &[&str]) -> Reply {
        match self.try_command(words).await {
            Reply::Error(error) => panic!("{words:?}: {error}"),
            reply => reply,
        }
    }

    /// Sends one command, over a connection that neither TLS nor access control lists concern.
    pub async fn try_command(&self, words: &[&str]) -> Reply {
        let stream = within(UnixStream::connect(self.folder.path().join("control"))).await.unwrap();
        let mut stream = BufReader::new(stream);
        stream.write_all(&encode(&["AUTH", CONTROL_USER, "none"])).await.unwrap();
        stream.write_all(&encode(words)).await.unwrap();
        assert_eq!(within(read_reply(&mut stream)).await, Reply::Text("OK".to_owned()));
        within(read_reply(&mut stream)).await
    }
}

/// A port that nothing listens on at the moment.
///
/// It lies outside of the ports that outgoing connections get. In there, a client that keeps connecting to a server
/// that has ended may connect to itself, and the server cannot start again.
pub fn free_port() -> u16 {
    loop {
        let port = fastrand::u16(20_000..32_000);
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn encode(words: &[&str]) -> Vec<u8> {
    let all: String = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    format!("*{}\r\n{all}", words.len()).into_bytes()
}

async fn read_reply(stream: &mut BufReader<UnixStream>) -> Reply {
    let mut line = String::new();
    assert!(stream.read_line(&mut line).await.unwrap() > 0, "redis-server closed the connection");
    let (kind, rest) = line.trim_end().split_at(1);
    match kind {
        "+" => Reply::Text(rest.to_owned()),
        "-" => Reply::Error(rest.to_owned()),
        ":" => Reply::Integer(rest.parse().unwrap()),
        "$" | "*" if rest == "-1" => Reply::Nil,
        "$" => {
            let mut text = vec![0; rest.parse::<usize>().unwrap() + 2];
            stream.read_exact(&mut text).await.unwrap();
            text.truncate(text.len() - 2);
            Reply::Text(String::from_utf8(text).unwrap())
        }
        "*" => {
            let mut list = Vec::new();
            for _ in 0..rest.parse::<usize>().unwrap() {
                list.push(Box::pin(read_reply(stream)).await);
            }
            Reply::List(list)
        }
        _ => panic!("{line:?}"),
    }
}

/// The tests' own user, so that a test may give the default one a password.
const CONTROL_USER: &str = "control";
