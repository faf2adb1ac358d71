//! What a connector asks Business Central on its own behalf: companies, unbound actions, subscriptions.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use tokio::time::Instant;

use super::company_list;
use super::connector::Connector;
use super::token_attempts::TokenAttempts;
use crate::business_central::lookup::{self, LookupError};
use crate::business_central::{Company, CompanyRef, companies};
use crate::entra::{ClaimsChallenge, Token};
use crate::guide;
use crate::proxy::rejection::{Kind, Rejection};

impl Connector {
    /// The company, from the list at hand or from one that is looked up now.
    pub async fn company(&self, wanted: &CompanyRef) -> Result<Arc<Company>, Rejection> {
        let asked_at = Instant::now();
        if let Some(found) = self.companies.find(wanted, asked_at) {
            return found;
        }
        let guard = self.companies.lock().await;
        if let Some(found) = self.companies.find(wanted, asked_at) {
            return found;
        }
        if let Some(failure) = guard.recent_failure(asked_at) {
            return Err(failure);
        }
        guard.store(self.list_companies().await)?;
        self.companies.find(wanted, asked_at).unwrap_or_else(|| Err(company_list::unknown(wanted)))
    }

    /// The company, from a fresh list: `Some(None)` if it is not in there, `None` if the list can't be fetched.
    pub async fn refresh_company(&self, wanted: &CompanyRef) -> Option<Option<Arc<Company>>> {
        let guard = self.companies.lock().await;
        let list = self.list_companies().await.ok()?;
        let company = companies::find(&list, wanted).ok().cloned().map(Arc::new);
        guard.store(Ok(list)).ok()?;
        Some(company)
    }

    async fn list_companies(&self) -> Result<Vec<Company>, Rejection> {
        let listed = self.get(&companies::list_url(&self.address.url()), companies::COMPANY_LIST).await?;
        listed.and_then(|body| companies::parse_list(&body)).map_err(|error| match error {
            LookupError::Rejected { status: StatusCode::NOT_FOUND, .. } => Rejection::new(
                Kind::UnknownEnvironment,
                format!(
                    "Business Central knows no environment `{}` in tenant {}: compare `environment` with the name in the Business Central \
                     admin center. See {}.",
                    self.address.environment(), self.address.tenant(), guide::Step::Environment
                ),
            ),
            other => other.into(),
        })
    }

    /// Whether OData has an unbound action of this name.
    pub async fn has_action(&self, name: &str) -> Result<bool, Rejection> {
        let url = format!("{}/ODataV4/$metadata", self.address.url());
        let names = async {
            let (http, url) = (&self.http, &url);
            let ask = |token: Arc<Token>| async move { lookup::unbound_actions(http, url, &token.authorization).await };
            // Metadata that can't be fetched contains none, and Business Central's response to the request says why.
            match self.ask(ask).await {
                Err(rejection) if rejection.kind == Kind::CredentialsRejected => Ok(HashSet::new()),
                names => Ok(names?.unwrap_or_default()),
            }
        };
        self.unbound_actions.has(name, names).await
    }

    /// The subscription at this path as Business Central has it; `None` if there is none, or none can have this key.
    pub async fn subscription(&self, path: &str) -> Result<Option<Vec<u8>>, Rejection> {
        match self.get(&format!("{}{path}", self.address.origin()), "a subscription").await? {
            Ok(subscription) => Ok(Some(subscription)),
            Err(LookupError::Rejected { status: StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST, .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn get(&self, url: &str, what: &'static str) -> Result<Result<Vec<u8>, LookupError>, Rejection> {
        let get =
            |token: Arc<Token>| async move { lookup::get(&self.http, url, what, &token.authorization, TIMEOUT).await };
        self.ask(get).await
    }

    /// The result of a look-up, with whichever application's token Business Central accepts.
    async fn ask<T, F>(&self, look_up: impl Fn(Arc<Token>) -> F) -> Result<Result<T, LookupError>, Rejection>
    where
        F: Future<Output = Result<T, LookupError>>,
    {
        let (scope, mut attempts) = (self.look_up_scope(), TokenAttempts::default());
        loop {
            let (member, token) = attempts.next(scope).await?;
            match look_up(token.clone()).await {
                Err(error) if error.is_unauthorized() => {
                    let challenge = ClaimsChallenge::from_values(error.challenges());
                    attempts.unauthorized(scope, member, token, challenge)?;
                }
                response => {
                    scope.accepted(&member);
                    return Ok(response);
                }
            }
        }
    }
}

/// A small response from a service that is up takes a second at most.
const TIMEOUT: Duration = Duration::from_secs(30);
