//! What can be wrong with Entra, for a test to switch on.

use std::sync::Mutex;

use hyper::StatusCode;

use crate::simulator::gate::Gate;
use crate::simulator::sync::lock;
use crate::simulator::times::Times;

/// Something wrong with the token endpoint.
#[derive(Debug, Clone)]
pub enum Fault {
    /// New connections are closed at once; a request on an open one ends with it.
    Unreachable,
    /// An answer in Entra's error shape. `error` is OAuth's word (`temporarily_unavailable`), `code` the AADSTS number,
    /// `retry_after` in seconds.
    Error { status: StatusCode, error: String, code: u32, retry_after: Option<u32> },
    /// A web page, as from an intercepting web proxy.
    Html(StatusCode),
    /// The request waits for the gate and is then answered as usual.
    Held(Gate),
}

impl Fault {
    /// A 503 that passes.
    pub fn unavailable(retry_after: Option<u32>) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::Error { status, error: "temporarily_unavailable".to_owned(), code: 90033, retry_after }
    }
}

/// The fault in force, if any.
#[derive(Default)]
pub(super) struct Faults(Mutex<Option<(Fault, Times)>>);

impl Faults {
    pub fn set(&self, fault: Option<(Fault, Times)>) {
        *lock(&self.0) = fault;
    }

    /// The fault for the request or connection at hand, used once more.
    pub fn take(&self, applies: impl FnOnce(&Fault) -> bool) -> Option<Fault> {
        let mut current = lock(&self.0);
        let (fault, times) = current.as_mut()?;
        (applies(fault) && times.take()).then(|| fault.clone())
    }
}
