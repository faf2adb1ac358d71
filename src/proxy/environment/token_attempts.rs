//! The tokens that one request is tried with: which application comes next, and what follows from a 401.
//!
//! A first 401 is answered with another token, which meets the claims that Business Central demands, if any. A second
//! one means that the application's set-up is wrong: another application takes over, or the client is told which step.

use std::sync::Arc;

use super::application_pool::{Member, Senders};
use super::connector::Connector;
use super::rejected_tokens::{RejectedTokens, TokenUse};
use crate::business_central::CompanyId;
use crate::entra::{ClaimsChallenge, ClientId, Token, TokenRetry};
use crate::guide::Event;
use crate::proxy::rejection::Rejection;

/// What a request's tokens are used for.
#[derive(Debug, Clone, Copy)]
pub struct TokenScope<'a> {
    /// The connector whose applications can send it.
    pub connector: &'a Connector,
    /// Which of them.
    pub senders: Senders,
    /// Whether for a SOAP call.
    pub is_soap: bool,
    /// What Business Central recently rejected for the same purpose.
    pub rejected_tokens: &'a RejectedTokens,
    /// `None` for requests outside any known company.
    pub company: Option<CompanyId>,
}

/// What one request has tried.
#[derive(Debug, Default)]
pub struct TokenAttempts {
    /// The application that retries with another token.
    retrying: Option<Arc<Member>>,
    retry: TokenRetry,
    /// Applications that can't serve this request.
    excluded: Vec<ClientId>,
}

impl TokenScope<'_> {
    /// Business Central accepted this application's token: the next 401 may be the token's fault again.
    pub fn accepted(self, member: &Member) {
        if self.rejected_tokens.clear(self.token_use(member)) {
            tracing::info!(
                event_id = Event::ApplicationAccepted.id(),
                connector = self.connector.settings.name, client_id = %member.client_id,
                "Business Central accepts the application again"
            );
        }
    }

    fn token_use(self, member: &Member) -> TokenUse {
        TokenUse { application: member.client_id, company: self.company }
    }
}

impl TokenAttempts {
    /// The application of the next attempt.
    pub fn choose(&self, scope: TokenScope<'_>) -> Result<Arc<Member>, Rejection> {
        let TokenScope { connector, senders, is_soap, rejected_tokens, company } = scope;
        let chosen = || connector.pool.choose(senders, is_soap, rejected_tokens, company, &self.excluded);
        match &self.retrying {
            Some(member) => Ok(member.clone()),
            None if self.excluded.is_empty() => chosen().ok_or_else(Rejection::no_shared_application),
            None => chosen().ok_or_else(Rejection::no_application),
        }
    }

    /// A token of the chosen application. `None` when it has none and another application takes over.
    pub async fn token(&mut self, scope: TokenScope<'_>, member: &Member) -> Result<Option<Arc<Token>>, Rejection> {
        match self.retry.token(&member.tokens).await {
            Ok(token) => Ok(Some(token)),
            Err(_) if self.exclude(scope, member) => Ok(None),
            Err(unavailable) => Err(unavailable.into()),
        }
    }

    /// An application with its token, for requests that need nothing else.
    pub async fn next(&mut self, scope: TokenScope<'_>) -> Result<(Arc<Member>, Arc<Token>), Rejection> {
        loop {
            let member = self.choose(scope)?;
            if let Some(token) = self.token(scope, &member).await? {
                return Ok((member, token));
            }
        }
    }

    /// Notes that Business Central rejected a token, with this challenge if any. An error when no application is left.
    pub fn unauthorized(
        &mut self,
        scope: TokenScope<'_>,
        member: Arc<Member>,
        token: Arc<Token>,
        challenge: Option<ClaimsChallenge>,
    ) -> Result<(), Rejection> {
        let token_use = scope.token_use(&member);
        let is_worth_a_refresh = scope.rejected_tokens.is_worth_a_refresh(&token, token_use);
        if self.retry.unauthorized(&member.tokens, &token, challenge, is_worth_a_refresh) {
            self.retrying = Some(member);
            return Ok(());
        }
        let is_news = self.retry.is_retry() && scope.rejected_tokens.record(&token, token_use);
        let rejection = scope.connector.credentials_rejected(&member, &token);
        if is_news {
            tracing::warn!(
                event_id = Event::ApplicationRejected.id(),
                connector = scope.connector.settings.name, client_id = %member.client_id,
                "{}", rejection.message
            );
        }
        if !self.exclude(scope, &member) {
            return Err(rejection);
        }
        tracing::warn!(client_id = %member.client_id, "another application takes over: {}", rejection.message);
        Ok(())
    }

    /// Excludes an application from further attempts. Whether another one is left.
    fn exclude(&mut self, scope: TokenScope<'_>, member: &Member) -> bool {
        (self.retrying, self.retry) = (None, TokenRetry::default());
        self.excluded.push(member.client_id);
        self.excluded.len() < scope.connector.pool.count(scope.senders)
    }
}
