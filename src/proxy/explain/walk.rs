//! The walk through the data path's steps, with nothing sent.
//!
//! Where a step would ask Business Central, both answers are assumed in turn ([`assumptions`](super::assumptions)):
//! there is a case for each.

use std::sync::Arc;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::http::request::Parts;

use super::assumptions::{AssumedLookUps, Assumption, LookUps};
use super::offline::{self, UnparsableHead};
use super::question::{Question, local_address};
use super::report::{Case, Challenged, ChosenRoute, Explanation, Outcome, ParsedRequest, Rejected};
use crate::business_central::Dialect;
use crate::business_central::address::{EnvironmentAddress, Resource};
use crate::config::{self, Config};
use crate::proxy::dialect::{dialect, looks_like_soap, reads_atom};
use crate::proxy::environment::assembly::Assembled;
use crate::proxy::environment::route_table::RouteTable;
use crate::proxy::exchange::Exchange;
use crate::proxy::rejection::Rejection;
use crate::proxy::request::{handshake, route};
use crate::proxy::snapshot::Snapshot;

/// What would become of this request.
pub async fn explain(config: &Config, question: &Question) -> Explanation {
    let local = local_address(config);
    let target = String::from_utf8_lossy(&question.target).into_owned();
    let mut explanation = Explanation {
        request: ParsedRequest { method: question.method.clone(), target, is_repaired: false, client: question.client },
        route: None,
        cases: Vec::new(),
        notes: Vec::new(),
    };
    let (exchange, head) = match offline::read(&question.head(&local), question.client, &local).await {
        // No route is in service: nothing is sent, so no answer comes back whose addresses they would turn.
        Ok((connection, head)) => {
            (Exchange::new(connection, &head, Arc::new(Snapshot::new(config, &Assembled::default()))), head)
        }
        Err(UnparsableHead { status, code, message }) => {
            let rejected = Rejected { status: status.as_u16(), meant: status.as_u16(), code, message };
            explanation.cases.push(Case { condition: None, outcome: Outcome::Rejected(rejected) });
            return explanation;
        }
    };
    explanation.request.target = head.uri.to_string();
    explanation.request.is_repaired = explanation.request.target.as_bytes() != question.target;

    let routes = RouteTable::new(config.routes.iter().map(|route| (route.path.as_str().to_owned(), route)));
    let explained = Walk { exchange: &exchange, head: &head, body: question.body.as_ref() };
    let found = match explained.found(&routes) {
        Err(outcome) => {
            explanation.cases.push(Case { condition: None, outcome });
            return explanation;
        }
        Ok(found) => found,
    };
    explanation.route = Some(ChosenRoute {
        path: found.settings.path.to_string(),
        connector: found.settings.connector.name.clone(),
        to: found.settings.surface.to_string(),
        environment: found.settings.environment.to_string(),
        target: found.settings.target(),
    });
    if let Some(outcome) = explained.handshake(&found) {
        explanation.cases.push(Case { condition: None, outcome });
        return explanation;
    }
    let look_ups;
    (explanation.cases, look_ups) = explained.cases(&found).await;
    // What is refused in any case needs no look-up to tell.
    if explanation.cases.iter().any(|case| matches!(case.outcome, Outcome::Sent(_))) {
        explanation.notes = explained.notes(&found, &look_ups);
    }
    explanation
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
}

impl Walk<'_> {
    /// Up to the step that chooses the route.
    fn found<'r>(&self, routes: &RouteTable<&'r config::Route>) -> Result<Found<'r>, Outcome> {
        let routeless = |rejection| {
            Outcome::Rejected(rejected(
                &rejection,
                dialect(None, looks_like_soap(&self.head.headers), reads_atom(&self.head.headers)),
            ))
        };
        self.exchange.snapshot.guard.check(self.head).map_err(|reason| routeless(reason.into()))?;
        let (&settings, remainder) = route::find(routes, self.head.uri.path()).map_err(routeless)?;
        let connector = &settings.connector;
        let environment =
            EnvironmentAddress::new(&connector.base_url, &connector.application.tenant_id, &settings.environment);
        let asked = route::admit(settings, &environment, self.head, remainder, self.exchange.client.ip());
        Ok(Found { settings, environment, asked })
    }

    /// The step that answers handshakes; `None`: the request passes it.
    fn handshake(&self, found: &Found<'_>) -> Option<Outcome> {
        found.asked.as_ref().ok()?;
        let credentials = self.exchange.credentials;
        if let Err(rejection) = handshake::check(credentials) {
            return Some(Outcome::Rejected(rejected(&rejection, self.dialect(found))));
        }
        let challenge = credentials.challenge()?;
        let scheme = challenge.to_str().unwrap_or_default().split(' ').next().unwrap_or_default().to_owned();
        Some(Outcome::Challenged(Challenged { status: StatusCode::UNAUTHORIZED.as_u16(), scheme }))
    }

    pub(super) fn dialect(&self, found: &Found<'_>) -> Dialect {
        let is_soap = found.asked.as_ref().is_ok_and(Resource::is_soap);
        dialect(
            Some(&found.settings.surface),
            is_soap || looks_like_soap(&self.head.headers),
            reads_atom(&self.head.headers),
        )
    }

    /// What becomes of it, for each thing that Business Central may say; and what was asked.
    async fn cases(&self, found: &Found<'_>) -> (Vec<Case>, LookUps) {
        let expected = Assumption { is_same_company: true, is_action: true, is_subscribed_in: true };
        let (outcome, look_ups) = self.assuming(found, expected).await;
        let mut cases = vec![Case { condition: None, outcome }];
        let mut holds = String::new();
        let maybe = look_ups.companies.iter().find_map(|company| Some((company.maybe.as_ref()?, company.unknown())));
        if let Some((maybe, unknown)) = maybe {
            let other = self.assuming(found, Assumption { is_same_company: false, ..expected }).await.0;
            if is_new(&cases, &other) {
                cases.push(Case { condition: Some(format!("{maybe} is not the {unknown}")), outcome: other });
                holds = format!("{maybe} is the {unknown}");
            }
        }
        if !look_ups.actions.is_empty() {
            let names = look_ups.actions.join(", ");
            let other = self.assuming(found, Assumption { is_action: false, ..expected }).await.0;
            if is_new(&cases, &other) {
                let and = if holds.is_empty() { "" } else { " and " };
                let condition = format!("{holds}{and}Business Central has no unbound action {names}");
                cases.push(Case { condition: Some(condition), outcome: other });
                holds = format!("{holds}{and}Business Central has the unbound action {names}");
            }
        }
        if look_ups.subscription {
            let other = self.assuming(found, Assumption { is_subscribed_in: false, ..expected }).await.0;
            if is_new(&cases, &other) {
                let and = if holds.is_empty() { "" } else { " and " };
                let condition = format!("{holds}{and}the subscription is about another company");
                cases.push(Case { condition: Some(condition), outcome: other });
                holds = format!("{holds}{and}the subscription is about the route's company, or there is none");
            }
        }
        if let Some(first) = cases.first_mut().filter(|_| !holds.is_empty()) {
            first.condition = Some(holds);
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
            Err(rejection) => {
                let mut rejected = rejected(&rejection, self.dialect(found));
                rejected.message = look_ups.readable(&rejected.message);
                Outcome::Rejected(rejected)
            }
        };
        (outcome, look_ups)
    }
}

fn is_new(cases: &[Case], outcome: &Outcome) -> bool {
    cases.iter().all(|case| case.outcome != *outcome)
}

fn rejected(rejection: &Rejection, dialect: Dialect) -> Rejected {
    let (meant, code, _) = rejection.kind.describe();
    let status = rejection.kind.status(dialect);
    Rejected { status: status.as_u16(), meant: meant.as_u16(), code, message: rejection.message.clone() }
}
