//! The walk through the data path's steps, with nothing sent.
//!
//! Where a step would ask Business Central, both answers are assumed in turn ([`assumptions`](super::assumptions)):
//! there is a case for each.

use std::sync::Arc;

use bytes::Bytes;
use hyper::http::request::Parts;

use super::assumptions::{AssumedLookUps, Assumption, LookUps};
use super::client::AssumedClient;
use super::offline::{self, Question, local_address};
use super::report::{Case, ChosenRoute, Explanation, Outcome, ParsedRequest, Rejected};
use crate::business_central::Dialect;
use crate::business_central::address::{EnvironmentAddress, Resource};
use crate::config::{self, Client, Config};
use crate::proxy::dialect::dialect;
use crate::proxy::environment::assembly::Assembled;
use crate::proxy::environment::route_table::RouteTable;
use crate::proxy::exchange::Exchange;
use crate::proxy::methods::methods;
use crate::proxy::rejection::Rejection;
use crate::proxy::request::read_only::ReadOnly;
use crate::proxy::request::route;
use crate::proxy::snapshot::Snapshot;

/// What would become of this request.
pub async fn explain(config: &Config, question: &Question) -> Explanation {
    let target = String::from_utf8_lossy(&question.target).into_owned();
    let mut explanation = Explanation {
        request: ParsedRequest { method: question.method.clone(), target, is_repaired: false, client: question.client },
        route: None,
        cases: Vec::new(),
        notes: Vec::new(),
    };
    if let Err(outcome) = walk(config, question, &mut explanation).await {
        explanation.cases.push(Case { condition: None, outcome });
    }
    explanation
}

/// Adds what each step finds out to the explanation. Fails where a step ends the request in any case.
async fn walk(config: &Config, question: &Question, explanation: &mut Explanation) -> Result<(), Outcome> {
    let local = local_address(config);
    let read = offline::read(&question.head(&local), question.client, &local).await;
    let (connection, head) = read.map_err(Outcome::Rejected)?;
    // No route is in service: nothing is sent, so no answer comes back whose addresses they would turn.
    let exchange = Exchange::new(connection, &head, Arc::new(Snapshot::new(config, &Assembled::default(), None, None)));
    explanation.request.target = head.uri.to_string();
    explanation.request.is_repaired = explanation.request.target.as_bytes() != question.target;

    let routes = RouteTable::new(config.routes.iter().map(|route| (route.path.as_str().to_owned(), route)));
    let walk = Walk { exchange: &exchange, head: &head, body: question.body.as_ref() };
    let mut found = walk.found(&routes)?;
    explanation.route = Some(ChosenRoute {
        path: found.settings.path.to_string(),
        connector: found.settings.connector.name.clone(),
        to: found.settings.surface.to_string(),
        environment: found.settings.environment.to_string(),
        target: found.settings.target(),
    });
    let AssumedClient { client, notes } = walk.authenticate(config, &found)?;
    found.asked = found.asked.and_then(|resource| {
        let read_only = ReadOnly::of(found.settings, client.as_deref());
        read_only.check_request(&resource, methods(&head.method, &head.headers)).map(|()| resource)
    });
    found.client = client;
    let (cases, look_ups) = walk.cases(&found).await;
    // What is refused in any case needs no look-up to tell.
    if cases.iter().any(|case| matches!(case.outcome, Outcome::Sent(_))) {
        explanation.notes = notes.into_iter().chain(walk.notes(&found, &look_ups)).collect();
    }
    explanation.cases = cases;
    Ok(())
}

/// A request that was understood as HTTP.
pub struct Walk<'a> {
    pub(super) exchange: &'a Exchange,
    pub(super) head: &'a Parts,
    pub(super) body: Option<&'a Bytes>,
}

/// Its route, and what it asks for there.
pub struct Found<'a> {
    pub(super) settings: &'a config::Route,
    pub(super) environment: EnvironmentAddress,
    /// What the client asks for, or why it may not.
    pub(super) asked: Result<Resource, Rejection>,
    /// The entry of `clients` that fits the client.
    pub(super) client: Option<Arc<Client>>,
}

impl Walk<'_> {
    /// Up to the step that chooses the route.
    fn found<'r>(&self, routes: &RouteTable<&'r config::Route>) -> Result<Found<'r>, Outcome> {
        let routeless = |rejection| Outcome::Rejected(rejected(&rejection, self.exchange.dialect()));
        self.exchange.snapshot.guard.check(self.head).map_err(|reason| routeless(reason.into()))?;
        let (&settings, remainder) = route::find(routes, self.head.uri.path()).map_err(routeless)?;
        let connector = &settings.connector;
        let environment =
            EnvironmentAddress::new(&connector.base_url, &connector.application.tenant_id, &settings.environment);
        let asked = route::admit(routes, &settings, &environment, self.head, remainder, self.exchange.ip);
        Ok(Found { settings, environment, asked, client: None })
    }

    pub(super) fn rejected(&self, rejection: &Rejection, found: &Found<'_>) -> Outcome {
        let dialect = if self.exchange.shows_page { Dialect::Html } else { self.dialect(found) };
        Outcome::Rejected(rejected(rejection, dialect))
    }

    pub(super) fn dialect(&self, found: &Found<'_>) -> Dialect {
        let is_soap = found.asked.as_ref().is_ok_and(Resource::is_soap);
        dialect(Some(&found.settings.surface), is_soap || self.exchange.looks_like_soap, self.exchange.reads_atom)
    }

    /// What becomes of it, for each thing that Business Central may say; and what was asked.
    async fn cases(&self, found: &Found<'_>) -> (Vec<Case>, LookUps) {
        let expected = Assumption { is_same_company: true, is_action: true, is_subscribed_in: true };
        let (outcome, look_ups) = self.assuming(found, expected).await;
        let mut cases = vec![Case { condition: None, outcome }];
        let maybe = look_ups.companies.iter().find_map(|company| Some((company.maybe.as_ref()?, company.unknown())));
        let actions = look_ups.actions.join(", ");
        // Each with what is the case otherwise, and what is expected.
        let unexpected = [
            maybe.map(|(maybe, unknown)| {
                let assumption = Assumption { is_same_company: false, ..expected };
                (assumption, format!("{maybe} is not the {unknown}"), format!("{maybe} is the {unknown}"))
            }),
            (!actions.is_empty()).then(|| {
                let other = format!("Business Central has no unbound action {actions}");
                let usual = format!("Business Central has the unbound action {actions}");
                (Assumption { is_action: false, ..expected }, other, usual)
            }),
            look_ups.subscription.then(|| {
                let other = "the subscription is about another company".to_owned();
                let usual = "the subscription is about the route's company, or there is none".to_owned();
                (Assumption { is_subscribed_in: false, ..expected }, other, usual)
            }),
        ];
        let mut holds: Vec<String> = Vec::new();
        for (assumption, other, usual) in unexpected.into_iter().flatten() {
            let (outcome, _) = self.assuming(found, assumption).await;
            if cases.iter().all(|case| case.outcome != outcome) {
                let condition = [holds.as_slice(), &[other]].concat().join(" and ");
                cases.push(Case { condition: Some(condition), outcome });
                holds.push(usual);
            }
        }
        if let Some(first) = cases.first_mut().filter(|_| !holds.is_empty()) {
            first.condition = Some(holds.join(" and "));
        }
        (cases, look_ups)
    }

    async fn assuming(&self, found: &Found<'_>, assumption: Assumption) -> (Outcome, LookUps) {
        let assumed = AssumedLookUps::new(assumption);
        let outcome = match &found.asked {
            Err(rejection) => Err(rejection.clone()),
            Ok(resource) => self.sent(found, resource, &assumed).await,
        };
        let look_ups = assumed.look_ups();
        let outcome = match outcome {
            Ok(mut sent) => {
                sent.url = look_ups.readable(&sent.url);
                sent.body = sent.body.map(|body| look_ups.readable(&body));
                Outcome::Sent(Box::new(sent))
            }
            Err(mut rejection) => {
                rejection.message = look_ups.readable(&rejection.message);
                self.rejected(&rejection, found)
            }
        };
        (outcome, look_ups)
    }
}

fn rejected(rejection: &Rejection, dialect: Dialect) -> Rejected {
    let (meant, code, _) = rejection.kind.describe();
    let status = rejection.kind.status(dialect);
    Rejected { status: status.as_u16(), meant: meant.as_u16(), code: code.as_str(), message: rejection.message.clone() }
}
