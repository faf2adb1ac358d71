//! Messages to systemd (sd_notify(3)), the sockets it holds (sd_listen_fds(3)), and its file descriptor store.
//!
//! Without systemd, all functions do nothing.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use listenfd::ListenFd;
use sd_notify::{NotifyState, notify, notify_with_fds};
use socket2::Socket;

use super::ServiceManager;
use crate::admin::Liveness;
use crate::proxy::{InheritedSockets, STORED_PREFIX, SocketStore};

/// Returns the TCP sockets that systemd holds for us, and its store for further ones if it started this process.
///
/// Call it once and before other threads start, because it changes the process's environment.
pub fn inherited_sockets() -> InheritedSockets {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':').map(str::to_owned);
    let mut files = ListenFd::from_env();
    let (mut activated, mut stored) = (Vec::new(), Vec::new());
    for index in 0..files.len() {
        let name = names.next().filter(|name| name.starts_with(STORED_PREFIX));
        match (files.take_tcp_listener(index), name) {
            (Ok(Some(socket)), Some(name)) => stored.push((name, socket)),
            (Ok(Some(socket)), None) => activated.push(socket),
            (Ok(None) | Err(_), _) => {}
        }
    }
    let inherited = InheritedSockets::new(activated);
    match std::env::var_os("NOTIFY_SOCKET") {
        Some(_) => inherited.with_store(Arc::new(FileDescriptorStore), stored),
        None => inherited,
    }
}

/// The file descriptor store of systemd. It closes what exceeds `FileDescriptorStoreMax=`.
struct FileDescriptorStore;

impl SocketStore for FileDescriptorStore {
    fn add(&self, name: &str, socket: &Socket) {
        let sent = notify_with_fds(&[NotifyState::FdStore, NotifyState::FdName(name)], &[socket.as_fd()]);
        log_failure(sent);
    }

    fn remove(&self, name: &str) {
        send(&[NotifyState::FdStoreRemove, NotifyState::FdName(name)]);
    }
}

/// systemd, if it started this process: otherwise nothing is sent.
pub struct Systemd;

impl ServiceManager for Systemd {
    fn ready(&self, status: &str) {
        send(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    fn reloading(&self) {
        // systemd matches the message to its reload by the time.
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            send(&[NotifyState::Reloading, now]);
        }
    }

    fn stopping(&self, _grace: Duration) {
        send(&[NotifyState::Stopping, NotifyState::Status("finishing open requests")]);
    }

    /// Sends watchdog messages while the data path is alive, if systemd expects them.
    fn heartbeat(self: Arc<Self>, liveness: Liveness) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let Some(limit) = sd_notify::watchdog_enabled() else { return };
            every((limit / 3).max(Duration::from_millis(1)), &liveness, || send(&[NotifyState::Watchdog])).await;
        })
    }
}

/// Does this forever, but not while the data path is stalled.
async fn every(interval: Duration, liveness: &Liveness, mut work: impl FnMut()) {
    let mut ticks = tokio::time::interval(interval);
    loop {
        ticks.tick().await;
        if liveness.stalled().is_none() {
            work();
        }
    }
}

fn send(state: &[NotifyState<'_>]) {
    log_failure(notify(state));
}

fn log_failure(sent: io::Result<()>) {
    if let Err(error) = sent {
        tracing::debug!("sending a message to systemd failed: {error}");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::runtime;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_watchdog_gets_no_message_while_all_workers_of_the_data_path_are_blocked() {
        // The clock stands still while a blocking task runs.
        let (_held, until_dropped) = mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || until_dropped.recv());
        let data_path = runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let liveness = Liveness::watch(data_path.handle().clone());
        let (message, mut messages) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn({
            let liveness = liveness.clone();
            async move { every(Duration::from_secs(10), &liveness, || message.send(()).unwrap()).await }
        });
        messages.recv().await.unwrap();

        let (blocked, mut is_blocked) = tokio::sync::mpsc::unbounded_channel();
        let release: Vec<_> = (0..2)
            .map(|_| {
                let (release, released) = mpsc::channel::<()>();
                let blocked = blocked.clone();
                data_path.spawn(async move {
                    blocked.send(()).unwrap();
                    released.recv()
                });
                release
            })
            .collect();
        for _ in 0..2 {
            is_blocked.recv().await.unwrap();
        }
        for _ in 0..60 {
            advance(1).await;
        }
        while messages.try_recv().is_ok() {}
        for _ in 0..3 {
            advance(10).await;
        }
        assert!(liveness.stalled().unwrap() >= Duration::from_secs(40));
        assert!(messages.try_recv().is_err());

        drop(release);
        // The workers' threads need time that the paused clock does not count.
        let released = std::time::Instant::now();
        let expect_soon = || assert!(released.elapsed() < Duration::from_secs(120), "the workers are still blocked");
        while liveness.stalled().is_some() {
            expect_soon();
            tokio::task::yield_now().await;
        }
        while messages.try_recv().is_err() {
            expect_soon();
            advance(1).await;
        }
        data_path.shutdown_background();
    }

    async fn advance(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
        tokio::task::yield_now().await;
    }
}
