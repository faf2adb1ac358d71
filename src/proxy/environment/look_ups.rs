//! What a connector asks Business Central on its own behalf: companies, unbound actions, subscriptions.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use tokio::time::Instant;
use tower::retry::budget::Budget;

use super::company_list;
use super::connector::{Connector, NO_PERMIT};
use super::token_attempts::TokenAttempts;
use crate::business_central::companies::{self, CompanyPages};
use crate::business_central::lookup::{self, LookupError};
use crate::business_central::{Company, CompanyRef};
use crate::entra::{ClaimsChallenge, Token};
use crate::guide;
use crate::proxy::limiter::{AcquireError, ClientKey, Priority};
use crate::proxy::rejection::{Kind, Rejection};
use crate::proxy::retry::{self, Retry};

impl Connector {
    /// The company, from the list at hand or from one that is looked up now.
    pub async fn company(&self, wanted: &CompanyRef, deadline: Instant) -> Result<Arc<Company>, Rejection> {
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
        guard.store(self.list_companies(deadline).await)?;
        self.companies.find(wanted, asked_at).unwrap_or_else(|| Err(company_list::unknown(wanted)))
    }

    /// The company, from a fresh list: `Some(None)` if it is not in there, `None` if the list can't be fetched.
    pub async fn refresh_company(&self, wanted: &CompanyRef) -> Option<Option<Arc<Company>>> {
        let guard = self.companies.lock().await;
        let list = self.list_companies(self.deadline(Instant::now())).await.ok()?;
        let company = companies::find(&list, wanted).ok().cloned().map(Arc::new);
        guard.store(Ok(list)).ok()?;
        Some(company)
    }

    async fn list_companies(&self, deadline: Instant) -> Result<Vec<Company>, Rejection> {
        let mut pages = CompanyPages::of(&self.address.url());
        while let Some(url) = pages.next_url() {
            let page = self.get(&url, companies::COMPANY_LIST, deadline).await?;
            page.and_then(|body| pages.add(&body)).map_err(|error| self.unlisted(error))?;
        }
        Ok(pages.companies)
    }

    /// The rejection of a request for whose company there is no list.
    fn unlisted(&self, error: LookupError) -> Rejection {
        match error {
            LookupError::Rejected { status: StatusCode::NOT_FOUND, .. } => Rejection::new(
                Kind::UnknownEnvironment,
                format!(
                    "Business Central knows no environment `{}` in tenant {}: compare `environment` with the name in the Business Central \
                     admin center. See {}.",
                    self.address.environment,
                    self.address.tenant,
                    guide::Step::Environment
                ),
            )
            .caused_by(error.response_ids())
            .at(guide::Step::Environment),
            other => other.into(),
        }
    }

    /// Whether OData has an unbound action of this name.
    pub async fn has_action(&self, name: &str, deadline: Instant) -> Result<bool, Rejection> {
        let url = format!("{}/ODataV4/$metadata", self.address.url());
        let names = async {
            let (http, url) = (&self.http, &url);
            let ask = |token: Arc<Token>| async move { lookup::unbound_actions(http, url, &token.authorization).await };
            // Metadata that can't be fetched contains none, and Business Central's response to the request says why.
            match self.ask(deadline, ask).await {
                Err(rejection) if rejection.kind == Kind::CredentialsRejected => Ok(HashSet::new()),
                names => Ok(names?.unwrap_or_default()),
            }
        };
        self.unbound_actions.has(name, names).await
    }

    /// The subscription at this path as Business Central has it; `None` if there is none, or none can have this key.
    pub async fn subscription(&self, path: &str, deadline: Instant) -> Result<Option<Vec<u8>>, Rejection> {
        match self.get(&format!("{}{path}", self.address.origin()), "a subscription", deadline).await? {
            Ok(subscription) => Ok(Some(subscription)),
            Err(LookupError::Rejected { status: StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST, .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn get(
        &self,
        url: &str,
        what: &'static str,
        deadline: Instant,
    ) -> Result<Result<Vec<u8>, LookupError>, Rejection> {
        let get =
            |token: Arc<Token>| async move { lookup::get(&self.http, url, what, &token.authorization, TIMEOUT).await };
        self.ask(deadline, get).await
    }

    /// The result of a look-up, with whichever application's token Business Central accepts.
    ///
    /// Limits, retries and the circuit breaker are those of requests. Its permit comes before theirs: they wait for it.
    async fn ask<T, F>(
        &self,
        deadline: Instant,
        look_up: impl Fn(Arc<Token>) -> F,
    ) -> Result<Result<T, LookupError>, Rejection>
    where
        F: Future<Output = Result<T, LookupError>>,
    {
        let (scope, mut tokens) = (self.look_up_scope(), TokenAttempts::default());
        let (mut faults, mut throttled) = (0, 0);
        self.retry_budget.deposit();
        loop {
            let (member, token) = tokens.next(scope).await?;
            let permit = match &member.limiter {
                None => None,
                Some(limiter) => match limiter.acquire(own_requests(), deadline, Priority::Retry).await {
                    Ok(permit) => Some(permit),
                    Err(AcquireError::Evicted) => continue,
                    Err(AcquireError::Full { retry_after } | AcquireError::TimedOut { retry_after }) => {
                        return Err(self.busy(NO_PERMIT, retry_after));
                    }
                },
            };
            let result = self.upstream.guarded(look_up(token.clone())).await;
            drop(permit);
            let error = match result {
                Err(error) if error.is_unauthorized() => {
                    let challenge = ClaimsChallenge::from_values(error.challenges());
                    let unauthorized = tokens.unauthorized(scope, member, token, challenge);
                    unauthorized.map_err(|rejection| rejection.caused_by(error.response_ids()))?;
                    continue;
                }
                result => {
                    scope.accepted(&member);
                    let Err(error) = result else { return Ok(result) };
                    error
                }
            };
            let pause = match (retry::after_look_up(&error), &error) {
                (Some(Retry::AfterPause(pause)), LookupError::Rejected { status, .. }) => {
                    let pause = pause.unwrap_or_else(|| retry::throttle_pause(throttled));
                    throttled += 1;
                    if self.throttle(&member, false, *status, pause) { Duration::ZERO } else { pause }
                }
                (Some(Retry::AfterBackOff), _) if faults < retry::MAX_RETRIES && self.retry_budget.withdraw() => {
                    faults += 1;
                    retry::back_off(faults)
                }
                _ => return Ok(Err(error)),
            };
            if Instant::now() + pause >= deadline {
                return Ok(Err(error));
            }
            tokio::time::sleep(pause).await;
        }
    }
}

/// Whom the limiter takes our own requests for.
fn own_requests() -> ClientKey {
    ClientKey::new(Ipv4Addr::UNSPECIFIED.into(), NonZeroUsize::MIN, "look-ups")
}

/// A small response from a service that is up takes a second at most.
const TIMEOUT: Duration = Duration::from_secs(30);
