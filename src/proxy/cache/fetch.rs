//! A request that several clients wait for. It goes on as long as one of them waits.

use std::sync::{Arc, Mutex};

use hyper::Response;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::cached_response::CachedResponse;
use crate::proxy::rejection::{Kind, Rejection};
use crate::proxy::upstream::UpstreamBody;

/// A request in flight. It is canceled when the last clone is dropped.
#[derive(Debug)]
pub struct Fetch {
    outcome: watch::Receiver<Option<FetchOutcome>>,
    _task: AbortOnDropHandle<()>,
}

/// What each waiting client gets.
#[derive(Debug, Clone)]
pub enum FetchOutcome {
    /// `is_stored`: whether later requests can use it.
    Shared { cached: Arc<CachedResponse>, is_stored: bool },
    /// A response that can't be shared, for the first client that takes it.
    SingleUse(Arc<Mutex<Option<Response<UpstreamBody>>>>),
    /// The fetch failed, for all clients: a retry for each would make an outage worse.
    Rejected(Rejection),
}

impl FetchOutcome {
    pub fn single_use(response: Response<UpstreamBody>) -> Self {
        Self::SingleUse(Arc::new(Mutex::new(Some(response))))
    }
}

impl Fetch {
    pub fn start(request: impl Future<Output = FetchOutcome> + Send + 'static) -> Arc<Self> {
        let (sender, outcome) = watch::channel(None);
        let task = tokio::spawn(async move {
            sender.send_replace(Some(request.await));
        });
        Arc::new(Self { outcome, _task: AbortOnDropHandle::new(task) })
    }

    pub async fn outcome(&self) -> FetchOutcome {
        let mut outcome = self.outcome.clone();
        match outcome.wait_for(Option::is_some).await.map(|outcome| outcome.clone()) {
            Ok(Some(outcome)) => outcome,
            Ok(None) | Err(_) => FetchOutcome::Rejected(Rejection::new(Kind::Internal, FAILED)),
        }
    }
}

const FAILED: &str = "bcproxy failed on a request that this one shares. Its log has the reason.";
