//! A request that many wait for: it goes on for as long as one of them does.

use std::sync::{Arc, Mutex, PoisonError};

use hyper::Response;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::kept::Kept;
use crate::proxy::dispatch::upstream::UpstreamBody;
use crate::proxy::rejection::{Kind, Rejection};

/// A request under way. When nobody has it any more, it is given up.
#[derive(Debug)]
pub struct Flight {
    landed: watch::Receiver<Option<Landed>>,
    _task: AbortOnDropHandle<()>,
}

/// What came of it, for each who waited.
#[derive(Debug, Clone)]
pub enum Landed {
    /// `stays`: whether it is kept for those who come later.
    Answer { kept: Arc<Kept>, stays: bool },
    /// An answer that is no good for sharing.
    ForOne(ForOne),
    /// It failed, and so it does for all: sending it once more for each would make an outage worse.
    Refused(Rejection),
}

/// An answer that one of those who waited can have.
#[derive(Debug, Clone)]
pub struct ForOne(Arc<Mutex<Option<Response<UpstreamBody>>>>);

impl ForOne {
    pub fn new(answer: Response<UpstreamBody>) -> Self {
        Self(Arc::new(Mutex::new(Some(answer))))
    }

    /// The answer, for the first who asks.
    pub fn take(&self) -> Option<Response<UpstreamBody>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Flight {
    pub fn start(request: impl Future<Output = Landed> + Send + 'static) -> Arc<Self> {
        let (sender, landed) = watch::channel(None);
        let task = tokio::spawn(async move {
            let came = request.await;
            sender.send_replace(Some(came));
        });
        Arc::new(Self { landed, _task: AbortOnDropHandle::new(task) })
    }

    pub async fn landed(&self) -> Landed {
        let mut landed = self.landed.clone();
        match landed.wait_for(Option::is_some).await.map(|landed| landed.clone()) {
            Ok(Some(landed)) => landed,
            Ok(None) | Err(_) => Landed::Refused(Rejection::new(Kind::Internal, FAILED)),
        }
    }
}

const FAILED: &str = "bcproxy failed on a request that this one shares; its log has the reason.";
