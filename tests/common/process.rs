//! The bcproxy binary, run as a process.
#![allow(dead_code, reason = "no test program uses all of it")]

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use crate::rig::within;

/// A running bcproxy. Dropping it kills it.
pub struct Process {
    child: Child,
    output: Lines,
    errors: Lines,
}

/// The lines that a process writes.
struct Lines {
    coming: mpsc::UnboundedReceiver<String>,
    seen: Vec<String>,
}

/// How a process ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub output: String,
    pub errors: String,
}

impl Drop for Process {
    /// Whoever reads of a test that failed wants to know what its processes said.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let seen = self.output.seen_so_far() + &self.errors.seen_so_far();
            eprintln!("{seen}");
        }
    }
}

impl Process {
    pub fn start(arguments: &[impl AsRef<OsStr>], folder: &Path) -> Self {
        Self::start_with(arguments, folder, &[])
    }

    /// The same with additional environment variables.
    pub fn start_with(arguments: &[impl AsRef<OsStr>], folder: &Path, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bcproxy"));
        let names_file =
            arguments.iter().any(|argument| ["--config", "demo"].map(OsStr::new).contains(&argument.as_ref()));
        if cfg!(windows) && !names_file {
            // Otherwise it uses the file of the whole machine.
            command.args(["--config", "proxy.yaml"]);
        }
        command.args(arguments).current_dir(folder).envs(variables.iter().copied()).stdin(Stdio::null());
        Self::spawn(command)
    }

    /// Any command that runs bcproxy.
    pub fn spawn(command: Command) -> Self {
        Self::spawn_with_output(command, Stdio::piped())
    }

    /// The same with another standard output: its lines are read only from a pipe.
    pub fn spawn_with_output(mut command: Command, output: Stdio) -> Self {
        let mut child = command
            .env_remove("BC_CLIENT_SECRET")
            .stdout(output)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let output = child.stdout.take().map_or_else(Lines::none, Lines::of);
        let errors = Lines::of(child.stderr.take().unwrap());
        Self { child, output, errors }
    }

    /// `bcproxy run` with this file.
    pub fn run(file: &Path) -> Self {
        let arguments = [OsStr::new("run"), OsStr::new("--config"), file.as_os_str()];
        Self::start(&arguments, file.parent().unwrap())
    }

    /// The same with additional environment variables.
    pub fn run_with(file: &Path, variables: &[(&str, &str)]) -> Self {
        let arguments = [OsStr::new("run"), OsStr::new("--config"), file.as_os_str()];
        Self::start_with(&arguments, file.parent().unwrap(), variables)
    }

    /// The address it listens on, from its log.
    pub async fn address(&mut self) -> SocketAddr {
        const LINE: &str = "listening on ";
        loop {
            let line = self.errors.next().await.expect("the log ended");
            if let Some((_, address)) = line.split_once(LINE) {
                // The log is JSON or text.
                let (_, address) = address.split_once("://").unwrap();
                return address.split('"').next().unwrap().parse().unwrap();
            }
        }
    }

    /// The next log line that meets a condition.
    pub async fn log_line(&mut self, mut condition: impl FnMut(&Value) -> bool) -> Value {
        loop {
            let line = self.errors.next().await.expect("the log ended");
            if let Ok(line) = serde_json::from_str(&line)
                && condition(&line)
            {
                return line;
            }
        }
    }

    /// The next line of standard output that meets a condition.
    pub async fn output_line(&mut self, condition: impl Fn(&str) -> bool) -> String {
        loop {
            let line = self.output.next().await.expect("the output ended");
            if condition(&line) {
                return line;
            }
        }
    }

    /// Has it stop, by SIGTERM. Windows has no signals: there, it is ended as by the task manager.
    pub async fn stop(&mut self) {
        #[cfg(unix)]
        self.signal("TERM").await;
        #[cfg(windows)]
        self.child.kill().await.unwrap();
    }

    /// Sends a signal by its name, such as `TERM`.
    #[cfg(unix)]
    pub async fn signal(&self, name: &str) {
        let id = self.child.id().expect("it has ended").to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().await.unwrap();
        assert!(sent.success());
    }

    /// Its peak memory, in KiB.
    #[cfg(target_os = "linux")]
    pub fn peak_memory(&self) -> u64 {
        let id = self.child.id().expect("it has ended");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Waits until it exits.
    pub async fn end(mut self) -> Ended {
        let code = within(self.child.wait()).await.unwrap().code();
        let (output, errors) = (self.output.all().await, self.errors.all().await);
        Ended { code, output, errors }
    }
}

impl Lines {
    fn none() -> Self {
        Self { coming: mpsc::unbounded_channel().1, seen: Vec::new() }
    }

    fn of(stream: impl AsyncRead + Send + Unpin + 'static) -> Self {
        let (sender, coming) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut lines = BufReader::new(stream).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { coming, seen: Vec::new() }
    }

    async fn next(&mut self) -> Option<String> {
        let line = within(self.coming.recv()).await?;
        self.seen.push(line.clone());
        Some(line)
    }

    async fn all(&mut self) -> String {
        while self.next().await.is_some() {}
        self.seen_so_far()
    }

    /// Also those that nobody waited for.
    fn seen_so_far(&mut self) -> String {
        while let Ok(line) = self.coming.try_recv() {
            self.seen.push(line);
        }
        self.seen.iter().flat_map(|line| [line, "\n"]).collect()
    }
}

pub fn message(line: &Value) -> &str {
    line["message"].as_str().unwrap_or_default()
}
