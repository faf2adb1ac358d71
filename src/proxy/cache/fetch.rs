//! A request that several clients wait for. It goes on as long as one of them waits.

use std::sync::{Arc, Mutex, PoisonError};

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
    /// A response that can't be shared.
    SingleUse(SingleUse),
    /// The fetch failed, for all clients: a retry for each would make an outage worse.
    Rejected(Rejection),
}

/// A response that one of the waiting clients can have.
#[derive(Debug, Clone)]
pub struct SingleUse(Arc<Mutex<Option<Response<UpstreamBody>>>>);

impl SingleUse {
    pub fn new(response: Response<UpstreamBody>) -> Self {
        Self(Arc::new(Mutex::new(Some(response))))
    }

    /// The response, for the first client that asks.
    pub fn take(&self) -> Option<Response<UpstreamBody>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Fetch {
    pub fn start(request: impl Future<Output = FetchOutcome> + Send + 'static) -> Arc<Self> {
        let (sender, outcome) = watch::channel(None);
        let task = tokio::spawn(async move {
            let received_at = request.await;
            sender.send_replace(Some(received_at));
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
