//! Where routes lead: an environment of a connector, with its token, its companies and its upstream client.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use hyper::StatusCode;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::application_pool::{Member, Pool};
use super::look_up::LookUp;
use super::rejected_tokens::{Case, Suspicion};
use super::unbound_actions::Actions;
use crate::business_central::address::{EnvironmentAddress, Resource, Subscription};
use crate::business_central::companies::{self, MatchError};
use crate::business_central::inquiry::{self, LookupError};
use crate::business_central::subscriptions::Kept;
use crate::business_central::{Company, CompanyRef};
use crate::entra::{ClaimsChallenge, ClientId, Expiry, Token, TokenState};
use crate::outbound::HttpClient;
use crate::proxy::cache::Changes;
use crate::proxy::dispatch::limiter::Gate;
use crate::proxy::dispatch::retry::Budget;
use crate::proxy::dispatch::upstream::Upstream;
use crate::proxy::observe::tally::Tally;
use crate::proxy::rejection::{Kind, Refusal};
use crate::proxy::request::company_choice::Companies as Meant;
use crate::{config, guide};

/// A route in service.
#[derive(Debug)]
pub struct Route {
    pub settings: config::Route,
    pub destination: Arc<Destination>,
    /// No other has the same, nor had one before it.
    pub number: u64,
    /// Which of this route's requests Business Central keeps refusing.
    pub suspicion: Suspicion,
    pub tally: Arc<Tally>,
    company: ArcSwapOption<Company>,
    /// Milliseconds after `started` from which a missing resource makes us ask whether the company is still there.
    doubt_from: AtomicU64,
    started: Instant,
}

/// An environment as one connector reaches it.
pub struct Destination {
    pub connector: Arc<config::Connector>,
    pub pool: Pool,
    pub upstream: Upstream,
    /// What lets SOAP calls through: they share the environment's limits, whichever application calls.
    pub soap_gate: Option<Gate>,
    /// For sending again what failed.
    pub budget: Budget,
    /// What is being changed in the environment, whichever connector leads there.
    pub changes: Arc<Changes>,
    pub address: EnvironmentAddress,
    http: HttpClient,
    actions: Actions,
    companies: ArcSwapOption<Companies>,
    /// Held while companies are looked up: one look-up serves all who wait.
    look_up: Mutex<Option<FailedLookUp>>,
    /// Whether Business Central keeps refusing the look-up.
    suspicion: Suspicion,
}

/// What a usable connector has.
#[derive(Debug, Clone)]
pub struct Ready {
    pub token_age: Duration,
    /// That the credential ends soon.
    pub expiry: Option<Expiry>,
    /// `None` when the client names the company.
    pub company: Option<Arc<Company>>,
}

/// What is known of a connector without asking anybody.
#[derive(Debug, Clone)]
pub enum Condition {
    /// A request could be answered now; in which company, unless clients name it.
    Ready(Option<Arc<Company>>),
    /// Entra or Business Central has not answered yet.
    Waiting,
    NotReady(Refusal),
}

#[derive(Debug)]
struct Companies {
    list: Vec<Company>,
    looked_up_at: Instant,
}

struct FailedLookUp {
    at: Instant,
    refusal: Refusal,
}

impl Route {
    pub fn new(settings: config::Route, destination: Arc<Destination>, tally: Arc<Tally>) -> Self {
        Self {
            settings,
            destination,
            number: ROUTES.fetch_add(1, Ordering::Relaxed),
            suspicion: Suspicion::default(),
            tally,
            company: ArcSwapOption::empty(),
            doubt_from: AtomicU64::new(0),
            started: Instant::now(),
        }
    }

    /// The route's company as far as it is known without asking: `Some(None)` when the client names it, `None` when it is not known yet.
    pub fn known_company(&self) -> Option<Option<Arc<Company>>> {
        match &self.settings.company {
            None => Some(None),
            Some(wanted) => match self.company.load_full() {
                Some(company) => Some(Some(company)),
                None => Some(Some(self.destination.known_company(wanted, Instant::now())?.ok()?)),
            },
        }
    }

    /// Looks up again, in the background and once in a while, whether the company still exists: Business Central said that something does
    /// not. A company that is gone is forgotten, so that the next request is told which ones there are.
    pub fn doubt_company(self: &Arc<Self>) {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let doubt_from = self.doubt_from.load(Ordering::Relaxed);
        let next = now.saturating_add(DOUBT_PAUSE.as_millis() as u64);
        let is_ours = now >= doubt_from
            && self.doubt_from.compare_exchange(doubt_from, next, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if is_ours {
            let route = self.clone();
            tokio::spawn(async move {
                let Some(wanted) = &route.settings.company else { return };
                if let Some(company) = route.destination.company_now(wanted).await {
                    route.company.store(company);
                }
            });
        }
    }
}

impl LookUp for Route {
    /// The route's own company is looked up once and kept.
    async fn company(&self, wanted: &CompanyRef, _: &Resource) -> Result<Arc<Company>, Refusal> {
        let is_own = self.settings.company.as_ref() == Some(wanted);
        if is_own && let Some(company) = self.company.load_full() {
            return Ok(company);
        }
        // On the heap, as all that is rare: each request would carry the room for it along.
        let company = Box::pin(self.destination.company(wanted)).await?;
        if !is_own {
            return Ok(company);
        }
        self.company.store(Some(company.clone()));
        Ok(company)
    }

    async fn has_action(&self, name: &str) -> Result<bool, Refusal> {
        Box::pin(self.destination.has_action(name)).await
    }

    async fn is_subscribed_in(
        &self,
        subscription: Subscription,
        at: &Resource,
        companies: &Meant,
    ) -> Result<bool, Refusal> {
        let Some(within) = &companies.within else { return Ok(true) };
        let environment = &self.destination.address;
        let path = at.path_and_query(environment.path(), companies.company.as_deref())?;
        let kept = Kept { subscription, companies: within, environment };
        Ok(self.destination.subscription(&path).await?.is_none_or(|found| kept.holds(&found)))
    }
}

impl Destination {
    pub fn new(
        connector: Arc<config::Connector>,
        environment: &crate::business_central::EnvironmentName,
        pool: Pool,
        upstream: Upstream,
        soap_gate: Option<Gate>,
        changes: Arc<Changes>,
        http: HttpClient,
    ) -> Self {
        let address = EnvironmentAddress::new(&connector.base_url, &connector.application.tenant_id, environment);
        Self {
            connector,
            pool,
            upstream,
            soap_gate,
            budget: Budget::default(),
            changes,
            address,
            http,
            actions: Actions::default(),
            companies: ArcSwapOption::empty(),
            look_up: Mutex::new(None),
            suspicion: Suspicion::default(),
        }
    }

    /// Whether a destination made of these would be like this one.
    pub fn is_made_of(
        &self,
        connector: &config::Connector,
        environment: &crate::business_central::EnvironmentName,
        pool: &Pool,
        upstream: &Upstream,
    ) -> bool {
        *self.connector == *connector
            && self.address.environment() == environment
            && self.pool.is_made_of(pool)
            && self.upstream.is_same(upstream)
    }

    /// How long a request waits for its turn, or to be sent again.
    pub fn patience(&self) -> Duration {
        self.connector.limits.map_or(UNLIMITED_PATIENCE, |limits| limits.wait)
    }

    /// Whether a request could be answered now: a token and, where one is set, the connector's company.
    pub async fn ready(&self) -> Result<Ready, Refusal> {
        let (_, token) = self.token(&[]).await?;
        let company = match &self.connector.company {
            Some(wanted) => Some(self.company(wanted).await?),
            None => None,
        };
        Ok(Ready { token_age: token.age(), expiry: self.pool.expiry(), company })
    }

    /// Whether a request could be answered now, as far as that is known.
    pub fn condition(&self) -> Condition {
        let states: Vec<TokenState> = self.pool.members().map(|member| member.tokens.state()).collect();
        if states.iter().all(|state| state.token.is_none()) {
            let failure = states.into_iter().find_map(|state| state.failure);
            return failure.map_or(Condition::Waiting, |failure| Condition::NotReady(failure.into()));
        }
        let Some(wanted) = &self.connector.company else { return Condition::Ready(None) };
        if let Some(known) = self.companies.load().as_ref() {
            return match companies::find(&known.list, wanted) {
                Ok(company) => Condition::Ready(Some(Arc::new(company.clone()))),
                Err(error) => Condition::NotReady(error.into()),
            };
        }
        // Who holds it is looking up.
        let failed = self.look_up.try_lock().ok();
        let failed = failed.as_ref().and_then(|failed| failed.as_ref());
        failed.map_or(Condition::Waiting, |failed| Condition::NotReady(failed.refusal.clone()))
    }

    /// Whether OData knows an unbound action of this name.
    async fn has_action(&self, name: &str) -> Result<bool, Refusal> {
        let (_, token) = self.token(&[]).await?;
        let url = format!("{}/ODataV4/$metadata", self.address.url());
        Ok(self.actions.has(name, &self.http, &url, &token.authorization).await)
    }

    /// The company meant, from the list that was looked up, or looked up now.
    pub async fn company(&self, wanted: &CompanyRef) -> Result<Arc<Company>, Refusal> {
        let asked_at = Instant::now();
        if let Some(found) = self.known_company(wanted, asked_at) {
            return found;
        }
        let mut failed = self.look_up.lock().await;
        if let Some(found) = self.known_company(wanted, asked_at) {
            return found;
        }
        if let Some(failed) = failed.as_ref().filter(|failed| failed.at + LOOK_UP_PAUSE > asked_at) {
            return Err(failed.refusal.clone());
        }
        match self.list_companies().await {
            Ok(list) => {
                *failed = None;
                self.companies.store(Some(Arc::new(Companies { list, looked_up_at: Instant::now() })));
            }
            Err(refusal) => {
                *failed = Some(FailedLookUp { at: Instant::now(), refusal: refusal.clone() });
                return Err(refusal);
            }
        }
        self.known_company(wanted, asked_at).unwrap_or_else(|| {
            let nothing_known = MatchError::Unknown { wanted: wanted.clone(), existing: Vec::new() };
            Err(nothing_known.into())
        })
    }

    /// The company meant, from a fresh list: `Some(None)` if it is not in there, `None` if there is no list to be had.
    async fn company_now(&self, wanted: &CompanyRef) -> Option<Option<Arc<Company>>> {
        let _looking_up = self.look_up.lock().await;
        let list = self.list_companies().await.ok()?;
        let company = companies::find(&list, wanted).ok().cloned().map(Arc::new);
        self.companies.store(Some(Arc::new(Companies { list, looked_up_at: Instant::now() })));
        Some(company)
    }

    /// `None` when the list has to be looked up, because there is none or because the company may be newer than it.
    fn known_company(&self, wanted: &CompanyRef, now: Instant) -> Option<Result<Arc<Company>, Refusal>> {
        let known = self.companies.load();
        let known = known.as_ref()?;
        match companies::find(&known.list, wanted) {
            Ok(company) => Some(Ok(Arc::new(company.clone()))),
            Err(_) if known.looked_up_at + LIST_TRUSTED < now => None,
            Err(error) => Some(Err(error.into())),
        }
    }

    async fn list_companies(&self) -> Result<Vec<Company>, Refusal> {
        let listed = self.ask(&companies::list_url(&self.address.url()), companies::ITS_COMPANIES).await?;
        listed.and_then(|body| companies::read_list(&body)).map_err(|error| match error {
            LookupError::Refused { status: StatusCode::NOT_FOUND, .. } => Refusal::new(
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

    /// What Business Central answers to a question of our own, asked with whichever token it takes.
    async fn ask(&self, url: &str, what: &'static str) -> Result<Result<Vec<u8>, LookupError>, Refusal> {
        let get = async |token: &Token| inquiry::get(&self.http, url, what, &token.authorization, LOOK_UP_TIME).await;
        let mut refused = Vec::new();
        loop {
            let (member, token) = self.token(&refused).await?;
            let case = Case { application: member.client_id, company: None };
            let mut answer = get(&token).await;
            if let Err(error) = answer.as_ref()
                && error.is_unauthorized()
            {
                refused.push(member.client_id);
                let mut last = token;
                if let Some(challenge) = ClaimsChallenge::among(error.challenges()) {
                    member.tokens.answer_challenge(&last, challenge);
                }
                if self.suspicion.falls_on(&last, case) {
                    last = member.tokens.token_after(&last).await?;
                    answer = get(&last).await;
                }
                if answer.as_ref().is_err_and(LookupError::is_unauthorized) {
                    self.suspicion.clear_of(&last, case);
                    if self.pool.members().count() > refused.len() {
                        continue;
                    }
                    return Err(self.credentials_refused(&member, &last));
                }
            }
            self.suspicion.lift(case);
            return Ok(answer);
        }
    }

    /// The subscription at this path as Business Central has it; `None` if there is none, or none can have this key.
    async fn subscription(&self, path: &str) -> Result<Option<Vec<u8>>, Refusal> {
        match self.ask(&format!("{}{path}", self.address.origin()), "a subscription").await? {
            Ok(subscription) => Ok(Some(subscription)),
            Err(LookupError::Refused { status: StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST, .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// A token of the fittest application that has one, of those that are not excluded; never are all of them.
    async fn token(&self, excluded: &[ClientId]) -> Result<(Arc<Member>, Arc<Token>), Refusal> {
        let mut excluded = excluded.to_vec();
        let mut failure = None;
        while let Some(member) = self.pool.choose(&self.suspicion, None, &excluded) {
            match member.tokens.token().await {
                Ok(token) => return Ok((member, token)),
                Err(unavailable) => failure = Some(unavailable),
            }
            excluded.push(member.client_id);
        }
        Err(failure.map_or_else(Refusal::no_application, Refusal::from))
    }

    /// The answer to a 401 that a fresh token did not mend: which step of the set-up to look at.
    pub fn credentials_refused(&self, member: &Member, token: &Token) -> Refusal {
        let lacks_role = token.claims.as_ref().is_some_and(|claims| !claims.has_data_role());
        let trouble = if lacks_role { guide::MISSING_ROLE } else { guide::APPLICATION_REFUSED };
        let message = format!(
            "Business Central refuses the token of connector `{}` (environment {}, client ID {}). {trouble}",
            self.connector.name,
            self.address.environment(),
            member.client_id
        );
        Refusal::new(Kind::CredentialsRefused, message)
    }
}

impl std::fmt::Debug for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Destination")
            .field("connector", &self.connector.name)
            .field("address", &self.address.url())
            .finish_non_exhaustive()
    }
}

/// So many routes were there so far.
static ROUTES: AtomicU64 = AtomicU64::new(0);

/// How long requests are sent again where `limits` are off.
const UNLIMITED_PATIENCE: Duration = Duration::from_secs(90);

/// A small answer from a service that is up takes a second at most.
const LOOK_UP_TIME: Duration = Duration::from_secs(30);

/// How long a failed look-up is repeated to those who ask next.
const LOOK_UP_PAUSE: Duration = Duration::from_secs(1);

/// How often a missing resource makes us look whether its company is still there.
const DOUBT_PAUSE: Duration = Duration::from_secs(60);

/// How long a list is believed when it lacks the company asked for.
const LIST_TRUSTED: Duration = Duration::from_secs(30);
