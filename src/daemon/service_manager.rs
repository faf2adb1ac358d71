//! systemd's side of a service: the messages of sd_notify(3) and the sockets of sd_listen_fds(3). Without systemd, nothing happens.

#[cfg(unix)]
mod systemd {
    use std::net::TcpListener;
    use std::time::Duration;

    use listenfd::ListenFd;
    use sd_notify::{NotifyState, notify};

    use crate::proxy::InheritedSockets;

    /// The TCP sockets the service manager has opened for us. Call it once, before any other thread runs: it takes them off the environment.
    pub fn held_sockets() -> InheritedSockets {
        let mut sockets = ListenFd::from_env();
        let tcp: Vec<TcpListener> =
            (0..sockets.len()).filter_map(|index| sockets.take_tcp_listener(index).ok().flatten()).collect();
        InheritedSockets::new(tcp)
    }

    /// We serve; `status` is what `systemctl status` shows.
    pub fn ready(status: &str) {
        tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// Another configuration is being read; [`ready`] comes again, whatever becomes of it.
    pub fn reloading() {
        // systemd tells by the time whose reload it is.
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            tell(&[NotifyState::Reloading, now]);
        }
    }

    pub fn stopping() {
        tell(&[NotifyState::Stopping, NotifyState::Status("finishing the requests under way")]);
    }

    /// Says for ever that we are alive, if the service manager wants to hear it: while the runtime gets round to it, we are.
    pub async fn stay_alive() {
        let Some(limit) = sd_notify::watchdog_enabled() else { return std::future::pending().await };
        let mut beat = tokio::time::interval((limit / 3).max(Duration::from_millis(1)));
        loop {
            beat.tick().await;
            tell(&[NotifyState::Watchdog]);
        }
    }

    fn tell(state: &[NotifyState<'_>]) {
        if let Err(error) = notify(state) {
            tracing::debug!("the service manager can't be told: {error}");
        }
    }
}

#[cfg(not(unix))]
mod systemd {
    use crate::proxy::InheritedSockets;

    pub fn held_sockets() -> InheritedSockets {
        InheritedSockets::default()
    }

    pub fn ready(_status: &str) {}

    pub fn reloading() {}

    pub fn stopping() {}

    pub async fn stay_alive() {
        std::future::pending().await
    }
}

pub use systemd::{held_sockets, ready, reloading, stay_alive, stopping};
