//! Messages to systemd (sd_notify(3)) and the sockets it holds (sd_listen_fds(3)).
//!
//! Without systemd, all functions do nothing.

#[cfg(unix)]
mod systemd {
    use std::net::TcpListener;
    use std::time::Duration;

    use listenfd::ListenFd;
    use sd_notify::{NotifyState, notify};

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

    /// Reports that bcproxy is ready. `systemctl status` shows `status`.
    pub fn ready(status: &str) {
        send(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// Reports a reload, which ends with [`ready`] whether it succeeds or not.
    pub fn reloading() {
        // systemd matches the message to its reload by the time.
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            send(&[NotifyState::Reloading, now]);
        }
    }

    /// Reports that bcproxy is stopping.
    pub fn stopping() {
        send(&[NotifyState::Stopping, NotifyState::Status("finishing open requests")]);
    }

    /// Sends watchdog messages forever, if systemd expects them. They stop if the async runtime hangs.
    pub async fn send_watchdog_messages() {
        let Some(limit) = sd_notify::watchdog_enabled() else { return std::future::pending().await };
        let mut ticks = tokio::time::interval((limit / 3).max(Duration::from_millis(1)));
        loop {
            ticks.tick().await;
            send(&[NotifyState::Watchdog]);
        }
    }

    fn send(state: &[NotifyState<'_>]) {
        if let Err(error) = notify(state) {
            tracing::debug!("sending a message to systemd failed: {error}");
        }
    }
}

#[cfg(not(unix))]
mod systemd {
    use crate::proxy::InheritedSockets;

    pub fn inherited_sockets() -> InheritedSockets {
        InheritedSockets::default()
    }

    pub fn ready(_status: &str) {}

    pub fn reloading() {}

    pub fn stopping() {}

    pub async fn send_watchdog_messages() {
        std::future::pending().await
    }
}

pub use systemd::{inherited_sockets, ready, reloading, send_watchdog_messages, stopping};
