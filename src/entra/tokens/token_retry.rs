//! The one retry after Business Central rejected a token.

use std::sync::Arc;

use super::token::{Token, TokenUnavailable};
use super::token_cache::TokenCache;
use crate::entra::claims_challenge::ClaimsChallenge;

/// Which token of an application a request uses next: the cached one, or the one that replaces it after a 401.
#[derive(Debug, Default)]
pub struct TokenRetry {
    rejected: Option<Arc<Token>>,
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
            tokens.set_challenge(token, challenge);
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
