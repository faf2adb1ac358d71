//! The walk through the set-up, step by step in the guide's order, against the live services: `bcproxy doctor`, and what `bcproxy setup`
//! tries as it is entered.
//!
//! | file | steps |
//! |---|---|
//! | `network`, `certificate` | name look-up, connection, TLS |
//! | `entra` | clock, tenant, application, credential, policies, subscription, consent |
//! | `business_central` | environment, card, permission sets, company, routes |
//!
//! Nothing is changed anywhere: all requests to Business Central are GETs.

mod business_central;
mod certificate;
mod entra;
mod network;

use std::fmt;
use std::time::Duration;

pub use business_central::{find_company, list_companies, may_read};
pub use entra::{Token, application_known, sign_in, tenant, token};
pub use network::{Endpoint, network};

use crate::config::{Connector, Route};
use crate::entra::Application;
use crate::guide::{KnownError, Step};
use crate::outbound::{HttpClient, OutboundError, ProxySelector};

/// What was found at a step.
#[derive(Debug, Clone)]
pub struct Finding {
    pub step: Step,
    /// What was looked at, where a step has several: an environment, a route.
    pub subject: Option<String>,
    pub result: Result<String, Wrong>,
    pub took: Duration,
}

/// What is wrong, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Where in the set-up.
    pub step: Step,
    /// What is the matter: a sentence without its full stop.
    pub what: String,
    /// What to do now: a sentence.
    pub fix: String,
}

/// The findings so far; each is told to whoever listens as soon as it is there.
pub struct Findings<'t> {
    all: Vec<Finding>,
    /// What all of them are about for the time being.
    about: Option<String>,
    tell: &'t mut dyn FnMut(&Finding),
}

impl Wrong {
    pub fn new(step: Step, what: impl Into<String>, fix: impl Into<String>) -> Self {
        let fix: String = fix.into();
        let mut rest = fix.chars();
        let first = rest.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
        let end = if fix.ends_with('.') { "" } else { "." };
        Self { step, what: what.into(), fix: format!("{first}{}{end}", rest.as_str()) }
    }

    /// A fault of which nothing more is known than its step.
    fn at(step: Step, what: impl Into<String>) -> Self {
        Self::new(step, what, step.advice())
    }

    /// What a service said, and what that means. `otherwise` is the step where the trouble names none.
    fn meaning(said: &str, trouble: &KnownError, otherwise: Step) -> Self {
        Self::new(trouble.step.unwrap_or(otherwise), format!("{said}. {}", trouble.meaning), trouble.fix)
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. {} See {}.", self.what, self.fix, self.step)
    }
}

impl<'t> Findings<'t> {
    pub fn new(tell: &'t mut dyn FnMut(&Finding)) -> Self {
        Self { all: Vec::new(), about: None, tell }
    }

    /// The first thing that is wrong.
    pub fn wrong(&self) -> Option<&Wrong> {
        self.all.iter().find_map(|finding| finding.result.as_ref().err())
    }

    pub fn into_all(self) -> Vec<Finding> {
        self.all
    }

    fn add(&mut self, step: Step, subject: Option<&str>, result: Result<String, Wrong>, took: Duration) {
        // A fault may show itself later than where it is to be mended.
        let step = result.as_ref().map_or_else(|wrong| wrong.step, |_| step);
        let subject = match (&self.about, subject) {
            (Some(about), Some(subject)) => Some(format!("{about}, {subject}")),
            (about, subject) => about.clone().or_else(|| subject.map(ToOwned::to_owned)),
        };
        let finding = Finding { step, subject, result, took };
        (self.tell)(&finding);
        self.all.push(finding);
    }

    fn passed(&mut self, step: Step, found: impl Into<String>, took: Duration) {
        self.add(step, None, Ok(found.into()), took);
    }

    fn failed(&mut self, wrong: Wrong, took: Duration) {
        self.add(wrong.step, None, Err(wrong), took);
    }
}

/// The steps of the guide that were not looked at, because one before them failed.
pub fn not_checked(findings: &[Finding]) -> Vec<Step> {
    let is_missing = |step: &Step| !findings.iter().any(|finding| finding.step == *step);
    Step::ALL.into_iter().filter(is_missing).collect()
}

/// Walks the set-up of one connector and its routes as far as it can.
///
/// A wrong clock, and one route of several, keep nothing else from being looked at; any other fault ends the walk, or that of one
/// application of several.
pub async fn examine(connector: &Connector, routes: &[Route], findings: &mut Findings<'_>) {
    let endpoints =
        [Endpoint::entra(&connector.application.authority), Endpoint::business_central(&connector.base_url)];
    let connect = connector.timeouts.connect;
    let proxies = match ProxySelector::new(&connector.outbound_proxy) {
        Ok(proxies) => proxies,
        Err(error) => return findings.failed(unusable(&error.into()), Duration::ZERO),
    };
    if !network(&endpoints, connector.ca_file.as_deref(), &proxies, connect, findings).await {
        return;
    }
    let http = match HttpClient::new(connector.ca_file.as_deref(), &connector.outbound_proxy, connect) {
        Ok(http) => http,
        Err(error) => return findings.failed(unusable(&error), Duration::ZERO),
    };
    let Application { authority, tenant_id, .. } = &connector.application;
    if !tenant(&http, authority, tenant_id, findings).await {
        return;
    }
    for application in connector.applications() {
        if !connector.other_applications.is_empty() {
            findings.about = Some(format!("application {}", application.client_id));
        }
        if let Some(mut token) = token(&http, application, connector.timeouts.token, findings).await
            && token.has_role
        {
            let client = application.client_id;
            business_central::examine(&http, connector, client, routes, &mut token, findings).await;
        }
    }
    findings.about = None;
}

/// The step at which a client that can't be built is to be mended.
pub fn unusable(error: &OutboundError) -> Wrong {
    match error {
        OutboundError::Tls(error) => Wrong::at(Step::Tls, error.to_string()),
        OutboundError::Environment(error) => Wrong::at(Step::Connection, error.to_string()),
    }
}
