//! What the admin listener may tell, and where it puts what it is asked to do.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use time::OffsetDateTime;
use tokio::sync::{mpsc, oneshot};

use crate::proxy::View;

/// How the service is doing.
#[derive(Debug)]
pub struct Status {
    pub view: View,
    pub history: History,
    pub is_stopping: bool,
}

/// What has become of the configuration file so far.
#[derive(Debug, Clone)]
pub struct History {
    pub file: PathBuf,
    pub started: OffsetDateTime,
    /// When the configuration in service was read.
    pub read: OffsetDateTime,
    /// Why the file, as it is now, is not in service.
    pub unused: Option<String>,
    /// How often a changed file was taken, and how often it could not be used.
    pub taken: u64,
    pub refused: u64,
}

impl History {
    /// At the start.
    pub fn new(file: PathBuf) -> Self {
        let now = OffsetDateTime::now_utc();
        Self { file, started: now, read: now, unused: None, taken: 0, refused: 0 }
    }

    pub fn was_taken(&mut self) {
        (self.read, self.unused) = (OffsetDateTime::now_utc(), None);
        self.taken += 1;
    }

    pub fn was_refused(&mut self, reason: String) {
        self.unused = Some(reason);
        self.refused += 1;
    }
}

/// What an administrator may ask of the service.
#[derive(Debug)]
pub enum Order {
    /// What became of it is told: `Err` says why the configuration stays as it was.
    Reload(oneshot::Sender<Result<String, String>>),
    Stop,
}

/// The admin listener's side. Clones are the same desk.
#[derive(Debug, Clone)]
pub struct Desk {
    status: Arc<ArcSwap<Status>>,
    orders: mpsc::Sender<Order>,
}

/// The orders, for whoever runs the service.
#[derive(Debug)]
pub struct Orders(mpsc::Receiver<Order>);

impl Desk {
    pub fn open(status: Status) -> (Self, Orders) {
        let (orders, coming) = mpsc::channel(MOST_ORDERS);
        (Self { status: Arc::new(ArcSwap::from_pointee(status)), orders }, Orders(coming))
    }

    pub fn show(&self, status: Status) {
        self.status.store(Arc::new(status));
    }

    pub fn status(&self) -> Arc<Status> {
        self.status.load_full()
    }

    /// Asks for a reload and waits for what becomes of it.
    pub async fn reload(&self) -> Result<String, String> {
        let (answer, outcome) = oneshot::channel();
        let sent = self.orders.send(Order::Reload(answer)).await;
        let ended = || Err("bcproxy is stopping".to_owned());
        if sent.is_err() { ended() } else { outcome.await.unwrap_or_else(|_| ended()) }
    }

    pub async fn stop(&self) {
        // Nobody takes orders any more: then it has stopped.
        let _ = self.orders.send(Order::Stop).await;
    }
}

impl Orders {
    /// The next one; pending when there is no desk any more.
    pub async fn next(&mut self) -> Order {
        match self.0.recv().await {
            Some(order) => order,
            None => std::future::pending().await,
        }
    }
}

const MOST_ORDERS: usize = 16;
