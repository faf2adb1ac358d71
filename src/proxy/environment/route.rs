//! A route in service: its settings, its connector, and what was found out about its company.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::time::Instant;

use super::connector::Connector;
use super::look_up::LookUp;
use super::rejected_tokens::RejectedTokens;
use crate::business_central::address::{Resource, SubscriptionKind};
use crate::business_central::subscriptions::SubscriptionFilter;
use crate::business_central::{Company, CompanyRef};
use crate::config;
use crate::proxy::observe::tally::Tally;
use crate::proxy::rejection::Rejection;
use crate::units::millis;

/// A route in service.
#[derive(Debug)]
pub struct Route {
    /// The route as configured.
    pub settings: config::Route,
    /// The connector it leads to.
    pub connector: Arc<Connector>,
    /// Unique for the lifetime of the process, across reloads.
    pub number: u64,
    /// Which of this route's requests Business Central keeps rejecting with a fresh token.
    pub rejected_tokens: RejectedTokens,
    /// Counts this route's requests.
    pub tally: Arc<Tally>,
    /// The link to the metadata that most JSON responses begin with, as it was last mapped.
    pub metadata_link: ArcSwapOption<MetadataLink>,
    company: ArcSwapOption<Company>,
    /// Milliseconds after `started` from which a 404 triggers the next check of the company.
    next_company_check: AtomicU64,
    started: Instant,
}

/// A link to the metadata of a service.
#[derive(Debug)]
pub struct MetadataLink {
    /// The number of the snapshot whose routes it was mapped by.
    pub snapshot: u64,
    /// As Business Central wrote it, from scheme to path.
    pub upstream: String,
    /// Its path at bcproxy.
    pub local: String,
}

impl Route {
    /// Puts a route into service.
    pub fn new(settings: config::Route, connector: Arc<Connector>, tally: Arc<Tally>) -> Self {
        Self {
            settings,
            connector,
            number: NEXT_NUMBER.fetch_add(1, Ordering::Relaxed),
            rejected_tokens: RejectedTokens::default(),
            tally,
            metadata_link: ArcSwapOption::empty(),
            company: ArcSwapOption::empty(),
            next_company_check: AtomicU64::new(0),
            started: Instant::now(),
        }
    }

    /// The route's company as far as it is known without a look-up: `Some(None)` when clients name it, `None` when it
    /// is not known yet.
    pub fn known_company(&self) -> Option<Option<Arc<Company>>> {
        match &self.settings.company {
            None => Some(None),
            Some(wanted) => match self.company.load_full() {
                Some(company) => Some(Some(company)),
                None => Some(Some(self.connector.companies.find(wanted, Instant::now())?.ok()?)),
            },
        }
    }

    /// The look-ups of a request that waits for them until its deadline.
    pub fn look_ups(&self, deadline: Instant) -> RouteLookUps<'_> {
        RouteLookUps { route: self, deadline }
    }

    /// Checks in the background whether the company still exists, after Business Central answered 404; at most once a
    /// minute.
    ///
    /// A company that is gone is forgotten, and the next request is rejected with the names of those that exist.
    pub fn recheck_company(self: &Arc<Self>) {
        let now = millis(self.started.elapsed());
        let due = self.next_company_check.load(Ordering::Relaxed);
        let next = now.saturating_add(millis(COMPANY_CHECK_INTERVAL));
        let is_ours = now >= due
            && self.next_company_check.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if is_ours {
            let route = self.clone();
            tokio::spawn(async move {
                let Some(wanted) = &route.settings.company else { return };
                if let Some(company) = route.connector.refresh_company(wanted).await {
                    route.company.store(company);
                }
            });
        }
    }
}

/// The look-ups of a request on this route.
#[derive(Debug)]
pub struct RouteLookUps<'r> {
    route: &'r Route,
    deadline: Instant,
}

impl LookUp for RouteLookUps<'_> {
    /// The route's own company is looked up once and then remembered.
    async fn company(&self, wanted: &CompanyRef, _: &Resource) -> Result<Arc<Company>, Rejection> {
        let Route { settings, company: known, connector, .. } = self.route;
        let is_own = settings.company.as_ref() == Some(wanted);
        if is_own && let Some(company) = known.load_full() {
            return Ok(company);
        }
        // Boxed because it is rare: otherwise every request's future would be larger by it.
        let company = Box::pin(connector.company(wanted, self.deadline)).await?;
        if is_own {
            known.store(Some(company.clone()));
        }
        Ok(company)
    }

    async fn has_action(&self, name: &str) -> Result<bool, Rejection> {
        Box::pin(self.route.connector.has_action(name, self.deadline)).await
    }

    async fn is_subscribed_in(
        &self,
        subscription: SubscriptionKind,
        at: &Resource,
        company: Option<&Company>,
        companies: &[Arc<Company>],
    ) -> Result<bool, Rejection> {
        let connector = &self.route.connector;
        let environment = &connector.address;
        let path = at.path_and_query(&environment.path, company)?;
        let filter = SubscriptionFilter { kind: subscription, companies, environment };
        let found = Box::pin(connector.subscription(&path, self.deadline)).await?;
        Ok(found.is_none_or(|found| filter.includes(&found)))
    }
}

static NEXT_NUMBER: AtomicU64 = AtomicU64::new(0);

const COMPANY_CHECK_INTERVAL: Duration = Duration::from_secs(60);
