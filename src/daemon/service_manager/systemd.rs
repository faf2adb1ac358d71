//! Messages to systemd (sd_notify(3)) and the sockets it holds (sd_listen_fds(3)).
//!
//! Without systemd, all functions do nothing.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use listenfd::ListenFd;
use sd_notify::{NotifyState, notify};

use super::ServiceManager;
use crate::admin::Liveness;
use crate::proxy::InheritedSockets;

/// Returns the TCP sockets that systemd has opened for us.
///
/// Call it once and before other threads start, because it changes the process's environment.
pub fn inherited_sockets() -> InheritedSockets {
    let mut sockets = ListenFd::from_env();
    let tcp: Vec<TcpListener> =
        (0..sockets.len()).filter_map(|index| sockets.take_tcp_listener(index).ok().flatten()).collect();
    InheritedSockets::new(tcp)
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
    if let Err(error) = notify(state) {
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
        while liveness.stalled().is_some() {
            tokio::task::yield_now().await;
        }
        while messages.try_recv().is_err() {
            advance(1).await;
        }
        data_path.shutdown_background();
    }

    async fn advance(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
        tokio::task::yield_now().await;
    }
}
