//! A proxy that runs, and what Linux says about its process.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Sub;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::path_of;
use crate::Result;
use crate::upstream::ResponseKind;

/// A proxy at work. Dropping it ends the process.
pub struct Running {
    pub address: SocketAddr,
    /// What secures the way to it, if anything does.
    pub tls: Option<Arc<ClientConfig>>,
    /// From the start of the process to the last byte of a first 200.
    pub first_response_after: Duration,
    pub(super) process: Child,
}

/// The CPU time of all threads of a process.
#[derive(Clone, Copy)]
pub struct Cpu {
    pub user: Duration,
    pub system: Duration,
}

impl Cpu {
    pub fn total(self) -> Duration {
        self.user + self.system
    }
}

impl Sub for Cpu {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        // The kernel scales both parts after the fact, so that one may lose a tick.
        Self { user: self.user.saturating_sub(before.user), system: self.system.saturating_sub(before.system) }
    }
}

impl Running {
    pub fn cpu(&self) -> Result<Cpu> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        // The name before the last parenthesis may hold anything; utime and stime are the 14th and 15th field of all.
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11);
        let mut time = || -> Result<Duration> {
            let ticks: u64 = fields.next().ok_or("too few fields in /proc")?.parse()?;
            Ok(Duration::from_millis(ticks * (1000 / TICKS_PER_SECOND)))
        };
        Ok(Cpu { user: time()?, system: time()? })
    }

    /// How many connections it has from clients.
    pub fn clients(&self) -> Result<usize> {
        // Local address, remote address and state follow the number of the row.
        let is_open = |row: &&str| {
            let mut fields = row.split_whitespace().skip(1);
            let port = fields.next().and_then(|local| u16::from_str_radix(local.rsplit(':').next()?, 16).ok());
            port == Some(self.address.port()) && fields.nth(1) == Some(ESTABLISHED)
        };
        Ok(fs::read_to_string("/proc/net/tcp")?.lines().filter(is_open).count())
    }

    /// How many files it has open, with its connections.
    pub fn open_files(&self) -> Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.process.id()))?.count())
    }

    /// Resident memory now and at its highest, in KiB.
    pub fn memory(&self) -> Result<(u64, u64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let field = |name: &str| -> Result<u64> {
            let value = status.lines().find_map(|line| line.strip_prefix(name)).ok_or(format!("no {name} in /proc"))?;
            Ok(value.trim().trim_end_matches(" kB").parse()?)
        };
        Ok((field("VmRSS:")?, field("VmHWM:")?))
    }

    /// How the process ended, if it has.
    pub(super) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.process.try_wait()?)
    }

    /// Whether a GET on a connection of its own comes back with 200. The first one fetches token and company, so
    /// patience is needed.
    pub(super) fn responds(&self) -> bool {
        let ask = || -> Result<bool> {
            let socket = TcpStream::connect(self.address)?;
            socket.set_read_timeout(Some(Duration::from_secs(20)))?;
            match &self.tls {
                None => is_answered(socket),
                Some(tls) => {
                    let session = ClientConnection::new(tls.clone(), "localhost".try_into()?)?;
                    is_answered(StreamOwned::new(session, socket))
                }
            }
        };
        ask().unwrap_or(false)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails only when it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn is_answered(mut stream: impl Read + Write) -> Result<bool> {
    let path = path_of(ResponseKind::Small);
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut response = Vec::new();
    stream.read_to_end(&mut response)?;
    Ok(response.starts_with(b"HTTP/1.1 200"))
}

/// A connection that is open in both directions, in `/proc/net/tcp`.
const ESTABLISHED: &str = "01";

/// What the kernel promises to programs, whatever its own clock.
const TICKS_PER_SECOND: u64 = 100;
