//! The bound on log lines that clients cause.
//!
//! A log that fills the disk stops everybody. Therefore repeated rejections of one client are counted instead of
//! logged, and the number of all lines is bounded.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Counts the lines of the current ten seconds.
#[derive(Debug, Default)]
pub struct LineLimit {
    rejections: Mutex<Rejections>,
    requests: AtomicU64,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Rejections {
    by_client: HashMap<IpAddr, ClientLines>,
    logged: usize,
    dropped: u64,
}

#[derive(Debug, Default)]
struct ClientLines {
    logged: usize,
    /// Rejections without a line of their own.
    more: u64,
}

impl LineLimit {
    /// Whether to log a rejection of this client: its first ten in ten seconds, while those of all clients are fewer
    /// than 1,000.
    pub fn admits_rejection(&self, client: IpAddr) -> bool {
        let mut rejections = self.lock();
        let is_full = rejections.logged >= MAX_REJECTIONS;
        match rejections.by_client.get_mut(&client) {
            Some(lines) if is_full || lines.logged >= MAX_REJECTIONS_PER_CLIENT => {
                lines.more += 1;
                return false;
            }
            Some(lines) => lines.logged += 1,
            None if is_full => {
                rejections.dropped += 1;
                self.dropped.fetch_add(1, Ordering::Relaxed);
                return false;
            }
            None => drop(rejections.by_client.insert(client, ClientLines { logged: 1, more: 0 })),
        }
        rejections.logged += 1;
        true
    }

    /// Whether to log any other request: the first 200,000 in ten seconds. Takes no lock.
    pub fn admits_request(&self) -> bool {
        let admits = self.requests.fetch_add(1, Ordering::Relaxed) < MAX_REQUESTS;
        if !admits {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        admits
    }

    /// Lines dropped since the start, without rejections that were counted for their client.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Ends the current ten seconds: logs what was counted in them.
    pub fn summarize(&self) {
        let Rejections { by_client, dropped: rejections, .. } = std::mem::take(&mut *self.lock());
        let requests = self.requests.swap(0, Ordering::Relaxed).saturating_sub(MAX_REQUESTS);
        let seconds = WINDOW.as_secs();
        for (client, ClientLines { more, .. }) in by_client.into_iter().filter(|(_, lines)| lines.more > 0) {
            tracing::warn!(%client, count = more, "rejected {more} more requests of this client in the last {seconds} s");
        }
        for (what, dropped) in [("rejected requests of further clients", rejections), ("requests", requests)] {
            if dropped > 0 {
                tracing::warn!(count = dropped, "dropped {dropped} log lines about {what} in the last {seconds} s");
            }
        }
    }

    /// Ends every ten seconds until this is canceled.
    pub async fn summarize_until(&self, ending: &CancellationToken) {
        while ending.run_until_cancelled(tokio::time::sleep(WINDOW)).await.is_some() {
            self.summarize();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Rejections> {
        self.rejections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const WINDOW: Duration = Duration::from_secs(10);

/// Enough to find each request of a person who tries something.
const MAX_REJECTIONS_PER_CLIENT: usize = 10;

/// As a line has at most a few kilobytes, these take less than a megabyte a second.
const MAX_REJECTIONS: usize = 1_000;

/// Four times the rate of a busy bcproxy, which is 5,000 requests a second.
const MAX_REQUESTS: u64 = 200_000;

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use super::*;

    /// How many of so many rejections of this client are logged.
    fn logged(limit: &LineLimit, client: IpAddr, rejections: usize) -> usize {
        (0..rejections).filter(|_| limit.admits_rejection(client)).count()
    }

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn repeated_rejections_of_one_client_are_logged_as_their_number() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        let _log = tracing::subscriber::set_default(subscriber);
        let (limit, ending) = (Arc::new(LineLimit::default()), CancellationToken::new());
        let summarizing = tokio::spawn({
            let (limit, ending) = (limit.clone(), ending.clone());
            async move { limit.summarize_until(&ending).await }
        });
        tokio::task::yield_now().await;
        let [one, other] = [1, 2].map(|last| IpAddr::from([192, 0, 2, last]));
        assert_eq!((logged(&limit, one, 812), logged(&limit, other, 3)), (10, 3));

        tokio::time::advance(WINDOW).await;
        tokio::task::yield_now().await;
        let text = String::from_utf8(std::mem::take(&mut *log.0.lock().unwrap())).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("rejected 802 more requests of this client in the last 10 s client=192.0.2.1"), "{text}");
        assert_eq!(logged(&limit, one, 11), 10, "in the next ten seconds");
        ending.cancel();
        summarizing.await.unwrap();
    }

    #[test]
    fn lines_of_many_clients_are_dropped_and_counted() {
        let limit = LineLimit::default();
        let clients = (0..2_000_u16).map(|client| IpAddr::from([198, 51, (client >> 8) as u8, client as u8]));
        let of_all: usize = clients.map(|client| logged(&limit, client, 5)).sum();
        assert_eq!((of_all, limit.dropped()), (MAX_REJECTIONS, 1_800 * 5));
        assert!(limit.admits_request(), "rejections leave room for the lines of other requests");
        limit.summarize();
        assert_eq!(limit.lock().by_client.len(), 0);
        assert_eq!(logged(&limit, IpAddr::from([192, 0, 2, 1]), 1), 1);
    }

    #[test]
    fn request_lines_are_bounded_far_above_ordinary_rates() {
        let limit = LineLimit::default();
        let ten_seconds_of_5_000 = (0..50_000).filter(|_| limit.admits_request()).count();
        assert_eq!((ten_seconds_of_5_000, limit.dropped()), (50_000, 0));
        let of_a_flood = (0..MAX_REQUESTS).filter(|_| limit.admits_request()).count();
        assert_eq!((of_a_flood, limit.dropped()), (150_000, 50_000));
    }
}
