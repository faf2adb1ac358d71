//! The token of an application, as requests see it.
//!
//! Only the refresher talks to Entra. Requests read the token it stored, or wait for its next attempt.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use time::OffsetDateTime;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::token::{Token, TokenAge, TokenState, TokenUnavailable};
use super::token_refresher::TokenRefresher;
use super::token_slot::TokenSlot;
use crate::entra::application::Application;
use crate::entra::claims_challenge::ClaimsChallenge;
use crate::entra::credentials::CredentialExpiry;
use crate::entra::token_request::TokenEndpoint;

/// The cached token of one application. Dropping the cache stops its refresher.
pub struct TokenCache {
    slot: Arc<TokenSlot>,
    application: Application,
    _refresher: AbortOnDropHandle<()>,
}

impl TokenCache {
    /// Starts the refresher. It requests a first token once it has a permit or a request waits for the token.
    ///
    /// All refreshers share `permits`, which limit simultaneous token requests. No permit is needed for a token that a
    /// request waits for.
    pub fn start(endpoint: TokenEndpoint, permits: Arc<Semaphore>) -> Self {
        let slot = Arc::new(TokenSlot::new(endpoint.timeout()));
        let application = endpoint.application().clone();
        let refresher = TokenRefresher::new(endpoint, slot.clone(), permits);
        Self { slot, application, _refresher: AbortOnDropHandle::new(tokio::spawn(refresher.run())) }
    }

    /// The application the token is issued to.
    pub fn application(&self) -> &Application {
        &self.application
    }

    /// Returns a usable token: immediately and without a lock if there is one, otherwise after the next token request.
    pub async fn token(&self) -> Result<Arc<Token>, TokenUnavailable> {
        match self.slot.usable(0) {
            Some(token) => Ok(token),
            None => self.slot.wait(0).await,
        }
    }

    /// Returns a usable token that replaces one rejected by Business Central.
    ///
    /// Any number of callers cause a single token request. Until it ends, other requests use the rejected token.
    pub(super) async fn token_replacing(&self, rejected: &Token) -> Result<Arc<Token>, TokenUnavailable> {
        if let Some(token) = self.slot.usable(rejected.generation) {
            return Ok(token);
        }
        self.slot.reject(rejected);
        self.slot.wait(rejected.generation).await
    }

    /// Whether there is no usable token and the latest token request failed.
    pub fn is_failing(&self) -> bool {
        self.slot.usable(0).is_none() && self.slot.failure.borrow().is_some()
    }

    /// The current state of the token.
    pub fn state(&self) -> TokenState {
        let now = Instant::now();
        let slot = &self.slot;
        TokenState {
            token: slot
                .usable(0)
                .map(|token| TokenAge { age: token.age(), usable_for: token.usable_until.duration_since(now) }),
            failure: slot.failure.borrow().clone(),
            last_day: slot.current.load().as_ref().and_then(|token| token.last_day),
            received: slot.received.load(Ordering::Relaxed),
            failed: slot.failed.load(Ordering::Relaxed),
        }
    }

    /// Has a rejected token replaced in the background, if it is still the current one.
    pub fn replace(&self, rejected: &Token) {
        self.slot.reject(rejected);
    }

    /// Makes the next token request include the claims that Business Central demanded when it rejected this token.
    pub(super) fn set_challenge(&self, rejected: &Token, challenge: ClaimsChallenge) {
        self.slot.set_challenge(rejected, challenge);
    }

    /// The expiry of the credential in use, if that is soon.
    pub fn expiry(&self) -> Option<CredentialExpiry> {
        let token = self.slot.current.load();
        CredentialExpiry::soon(token.as_ref()?.last_day?, OffsetDateTime::now_utc().date())
    }
}
