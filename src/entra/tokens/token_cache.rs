//! The token of an application, as requests see it.
//!
//! Only the refresher talks to Entra. Requests read the token it stored, or wait for its next attempt.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use time::OffsetDateTime;
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;

use super::token::{Token, TokenState, TokenUnavailable};
use super::token_refresher::TokenRefresher;
use super::token_slot::TokenSlot;
use crate::entra::application::Application;
use crate::entra::claims_challenge::ClaimsChallenge;
use crate::entra::credential_expiry::CredentialExpiry;
use crate::entra::token_request::TokenEndpoint;

/// The cached token of one application. Dropping the cache stops its refresher.
pub struct TokenCache {
    slot: Arc<TokenSlot>,
    /// The application the token is issued to.
    pub(crate) application: Application,
    _refresher: AbortOnDropHandle<()>,
}

/// Which token of an application a request uses next: the cached one, or the one that replaces it after a 401.
#[derive(Debug, Default)]
pub struct TokenRetry {
    rejected: Option<Arc<Token>>,
}

impl TokenCache {
    /// Starts the refresher. It requests a first token once it has a permit or a request waits for the token.
    ///
    /// All refreshers share `permits`, which limit simultaneous token requests. No permit is needed for a token that a
    /// request waits for.
    pub fn start(endpoint: TokenEndpoint, permits: Arc<Semaphore>) -> Self {
        let slot = Arc::new(TokenSlot::new(endpoint.timeout));
        let application = endpoint.application.clone();
        let refresher = TokenRefresher::new(endpoint, slot.clone(), permits);
        Self { slot, application, _refresher: AbortOnDropHandle::new(tokio::spawn(refresher.run())) }
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
    async fn token_replacing(&self, rejected: &Token) -> Result<Arc<Token>, TokenUnavailable> {
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
        let slot = &self.slot;
        TokenState {
            token: slot.usable(0),
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

    /// The expiry of the credential in use, if that is soon.
    pub fn expiry(&self) -> Option<CredentialExpiry> {
        let token = self.slot.current.load();
        CredentialExpiry::soon(token.as_ref()?.last_day?, OffsetDateTime::now_utc().date())
    }
}

impl TokenRetry {
    /// The token to use next.
    pub async fn token(&self, tokens: &TokenCache) -> Result<Arc<Token>, TokenUnavailable> {
        match &self.rejected {
            Some(rejected) => tokens.token_replacing(rejected).await,
            None => tokens.token().await,
        }
    }

    /// Notes that Business Central rejected this token, with this challenge if any. Returns whether to retry.
    ///
    /// A challenge counts for the next token in any case.
    pub fn unauthorized(
        &mut self,
        tokens: &TokenCache,
        token: &Arc<Token>,
        challenge: Option<ClaimsChallenge>,
        is_worth_a_refresh: bool,
    ) -> bool {
        if let Some(challenge) = challenge {
            tokens.slot.set_challenge(token, challenge);
        }
        let retries = is_worth_a_refresh && !self.is_retry();
        if retries {
            self.rejected = Some(token.clone());
        }
        retries
    }

    /// Whether the request has been retried.
    pub fn is_retry(&self) -> bool {
        self.rejected.is_some()
    }
}
