//! The state that a token cache and its refresher share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::token::{Token, TokenUnavailable};
use crate::entra::claims_challenge::ClaimsChallenge;

/// The current token of an application, and what its readers tell the refresher.
#[derive(Default)]
pub(super) struct TokenSlot {
    /// How long a request waits for a token while token requests fail.
    patience: Duration,
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
    pub fn new(patience: Duration) -> Self {
        Self { patience, ..Self::default() }
    }

    /// The current token, unless it has expired or is of the rejected generation.
    pub fn usable(&self, rejected: u64) -> Option<Arc<Token>> {
        let token = self.current.load();
        let token = token.as_ref()?;
        (token.generation != rejected && Instant::now() < token.usable_until).then(|| token.clone())
    }

    /// Waits for a usable token of another generation.
    ///
    /// Faults that may pass are waited out for as long as one token request may take. A mistake in the set-up is not.
    pub async fn wait(&self, rejected: u64) -> Result<Arc<Token>, TokenUnavailable> {
        let deadline = Instant::now() + self.patience;
        let mut failure = self.failure.subscribe();
        loop {
            if let Some(token) = self.usable(rejected) {
                return Ok(token);
            }
            let during_back_off = failure.borrow_and_update().clone().filter(|it| Instant::now() < it.retry_at);
            match during_back_off {
                Some(failed) if !failed.error.may_pass() || failed.retry_at >= deadline => return Err(failed),
                Some(_) => {}
                None => self.wake.notify_one(),
            }
            // A retry that begins in time is waited for until it ends. The sender lives in `self`, so the channel can't
            // close during the wait.
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
