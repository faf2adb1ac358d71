//! The state that a token cache and its refresher share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::token::{Token, TokenUnavailable};
use crate::entra::claims_challenge::ClaimsChallenge;

/// The current token of an application, and what its readers tell the refresher.
pub(super) struct TokenSlot {
    pub current: ArcSwapOption<Token>,
    /// The latest generation that Business Central rejected; 0 for none.
    pub rejected: AtomicU64,
    challenge: Mutex<Option<(u64, ClaimsChallenge)>>,
    /// The number of successful token requests.
    pub received: AtomicU64,
    /// The number of failed token requests.
    pub failed: AtomicU64,
    /// Wakes the refresher for a waiting request.
    pub wake: Notify,
    /// The failure of the latest token request; `None` before the first request and after a success.
    pub failure: watch::Sender<Option<TokenUnavailable>>,
}

impl TokenSlot {
    pub fn new() -> Self {
        Self {
            current: ArcSwapOption::empty(),
            rejected: AtomicU64::new(0),
            challenge: Mutex::new(None),
            received: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            wake: Notify::new(),
            failure: watch::Sender::new(None),
        }
    }

    /// The current token, unless it has expired or is of the rejected generation.
    pub fn usable(&self, rejected: u64) -> Option<Arc<Token>> {
        let token = self.current.load();
        let token = token.as_ref()?;
        (token.generation != rejected && Instant::now() < token.usable_until).then(|| token.clone())
    }

    /// Waits for a usable token of another generation, or for the next token request to fail.
    pub async fn wait(&self, rejected: u64) -> Result<Arc<Token>, TokenUnavailable> {
        let mut failure = self.failure.subscribe();
        loop {
            if let Some(token) = self.usable(rejected) {
                return Ok(token);
            }
            // During a back-off no token will come: report the failure.
            if let Some(failure) = failure.borrow_and_update().as_ref().filter(|it| Instant::now() < it.retry_at) {
                return Err(failure.clone());
            }
            self.wake.notify_one();
            // The sender lives in `self`, so the channel can't close during the wait.
            let _ = failure.changed().await;
        }
    }

    /// Asks the refresher to replace a token, if it is still the current one.
    pub fn reject(&self, token: &Token) {
        self.rejected.fetch_max(token.generation, Ordering::Relaxed);
        self.wake.notify_one();
    }

    /// The claims that Business Central demands in the next token.
    pub fn challenge(&self) -> Option<ClaimsChallenge> {
        self.lock_challenge().as_ref().map(|(_, challenge)| challenge.clone())
    }

    /// Stores the claims that Business Central demanded when it rejected a token.
    pub fn set_challenge(&self, rejected: &Token, challenge: ClaimsChallenge) {
        *self.lock_challenge() = Some((rejected.generation, challenge));
    }

    /// Drops the challenge to an earlier token. A challenge to this token or a later one stays.
    pub fn clear_challenge_before(&self, generation: u64) {
        self.lock_challenge().take_if(|(rejected, _)| *rejected < generation);
    }

    fn lock_challenge(&self) -> MutexGuard<'_, Option<(u64, ClaimsChallenge)>> {
        self.challenge.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
