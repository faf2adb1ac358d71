//! What would become of a request: the steps' own judgements, one after the other, and nothing sent.
//!
//! Where a step would ask Business Central, both answers are supposed in turn ([`suppose`]): the account has a case for each.

mod account;
mod suppose;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{AUTHORIZATION, HOST, HeaderValue};
use hyper::http::request::Parts;
use hyper::http::uri::Scheme;
use hyper::{HeaderMap, Method, StatusCode};
use tokio::sync::Semaphore;

pub use account::{
    Account, Answer, Body, Case, Challenged, Changes, Chosen, Header, Outcome, Refused, Sent, Understood,
};
use suppose::{Noted, Supposed, Supposition};

use crate::business_central::Dialect;
use crate::business_central::address::{EnvironmentAddress, Resource};
use crate::config::{self, Config};
use crate::outbound::ProxySelector;
use crate::proxy::body::request_body::RequestBody;
use crate::proxy::cache::terms::forbidden;
use crate::proxy::dialect::{dialect, looks_like_soap, reads_atom};
use crate::proxy::dispatch::upstream;
use crate::proxy::downstream::bind::LocalAddress;
use crate::proxy::downstream::client::offline::{self, Unreadable};
use crate::proxy::environment::assembly::Assembled;
use crate::proxy::environment::route_table::RouteTable;
use crate::proxy::exchange::Exchange;
use crate::proxy::headers;
use crate::proxy::methods::{methods, only_reads};
use crate::proxy::rejection::Rejection;
use crate::proxy::request::authorize::{Directed, direct};
use crate::proxy::request::company_choice::{CompanyChoice, reach};
use crate::proxy::request::inspect::body_address::BodyContext;
use crate::proxy::request::inspect::step::{Checked, Subject, inspect};
use crate::proxy::request::{handshake, route};
use crate::proxy::response::body_plan::{List, document_of, narrowed_list};
use crate::proxy::response::links::ADDRESS_HEADERS;
use crate::proxy::rewrite::Document;
use crate::proxy::snapshot::Snapshot;

/// A request that is asked about.
#[derive(Debug)]
pub struct Question {
    pub method: String,
    /// As a program would write it into its request line; may hold what an address can't.
    pub target: Vec<u8>,
    /// Lines: `Name: value`.
    pub headers: Vec<String>,
    pub client: IpAddr,
    /// `None` when it was not given.
    pub body: Option<Bytes>,
}

/// What would become of this request.
pub async fn explain(config: &Config, question: &Question) -> Account {
    let local = local_address(config);
    let target = String::from_utf8_lossy(&question.target).into_owned();
    let mut account = Account {
        request: Understood { method: question.method.clone(), target, is_repaired: false, client: question.client },
        route: None,
        cases: Vec::new(),
        notes: Vec::new(),
    };
    let (exchange, head) = match offline::read(&question.head(&local), question.client, &local).await {
        // No route is in service: nothing is sent, so no answer comes back whose addresses they would turn.
        Ok((connection, head)) => {
            (Exchange::new(connection, &head, Arc::new(Snapshot::new(config, &Assembled::default()))), head)
        }
        Err(Unreadable { status, code, message }) => {
            let refused = Refused { status: status.as_u16(), meant: status.as_u16(), code, message };
            account.cases.push(Case { condition: None, outcome: Outcome::Refused(refused) });
            return account;
        }
    };
    account.request.target = head.uri.to_string();
    account.request.is_repaired = account.request.target.as_bytes() != question.target;

    let routes = RouteTable::new(config.routes.iter().map(|route| (route.path.as_str().to_owned(), route)));
    let explained = Explained { exchange: &exchange, head: &head, body: question.body.as_ref() };
    let found = match explained.found(&routes) {
        Err(outcome) => {
            account.cases.push(Case { condition: None, outcome });
            return account;
        }
        Ok(found) => found,
    };
    account.route = Some(Chosen {
        path: found.settings.path.to_string(),
        connector: found.settings.connector.name.clone(),
        to: found.settings.surface.to_string(),
        environment: found.settings.environment.to_string(),
    });
    if let Some(outcome) = explained.handshake(&found) {
        account.cases.push(Case { condition: None, outcome });
        return account;
    }
    let noted;
    (account.cases, noted) = explained.cases(&found).await;
    // What is refused in any case needs no look-up to tell.
    if account.cases.iter().any(|case| matches!(case.outcome, Outcome::Sent(_))) {
        account.notes = explained.notes(&found, &noted);
    }
    account
}

impl Question {
    /// The head as it would come in: with the `Host` of a client that reached us by our own address, unless the question names another.
    fn head(&self, local: &LocalAddress) -> Vec<u8> {
        let names_host = self
            .headers
            .iter()
            .any(|line| line.split_once(':').is_some_and(|(name, _)| name.trim().eq_ignore_ascii_case(HOST.as_str())));
        let mut head = [self.method.as_bytes(), b" ", &self.target, b" HTTP/1.1\r\n"].concat();
        let host = (!names_host).then(|| format!("Host: {}", local.socket));
        for line in host.iter().chain(&self.headers) {
            head.extend_from_slice(line.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

/// Our own address as a client on this machine writes it.
fn local_address(config: &Config) -> LocalAddress {
    let Some(first) = config.listen.first() else {
        return LocalAddress { scheme: Scheme::HTTP, socket: (Ipv4Addr::LOCALHOST, 80).into() };
    };
    let (address, scheme) = (first.address, first.scheme());
    match address.ip() {
        ip if ip.is_unspecified() => {
            LocalAddress { scheme, socket: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), address.port()) }
        }
        _ => LocalAddress { scheme, socket: address },
    }
}

/// A request that was understood as HTTP.
struct Explained<'a> {
    exchange: &'a Exchange,
    head: &'a Parts,
    body: Option<&'a Bytes>,
}

/// Its route, and what it asks for there.
struct Found<'a> {
    settings: &'a config::Route,
    environment: EnvironmentAddress,
    /// What the client asks for, or why it may not.
    asked: Result<Resource, Rejection>,
}

impl Explained<'_> {
    /// Up to the step that chooses the route.
    fn found<'r>(&self, routes: &RouteTable<&'r config::Route>) -> Result<Found<'r>, Outcome> {
        let routeless = |rejection| {
            Outcome::Refused(refused(
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
            return Some(Outcome::Refused(refused(&rejection, self.dialect(found))));
        }
        let challenge = credentials.challenge()?;
        let scheme = challenge.to_str().unwrap_or_default().split(' ').next().unwrap_or_default().to_owned();
        Some(Outcome::Challenged(Challenged { status: StatusCode::UNAUTHORIZED.as_u16(), scheme }))
    }

    fn dialect(&self, found: &Found<'_>) -> Dialect {
        let is_soap = found.asked.as_ref().is_ok_and(Resource::is_soap);
        dialect(
            Some(&found.settings.surface),
            is_soap || looks_like_soap(&self.head.headers),
            reads_atom(&self.head.headers),
        )
    }

    /// What becomes of it, for each thing that Business Central may say; and what was asked.
    async fn cases(&self, found: &Found<'_>) -> (Vec<Case>, Noted) {
        let expected = Supposition { is_same_company: true, is_action: true, is_subscribed_in: true };
        let (outcome, noted) = self.supposing(found, expected).await;
        let mut cases = vec![Case { condition: None, outcome }];
        let mut holds = String::new();
        let maybe = noted.companies.iter().find_map(|company| Some((company.maybe.as_ref()?, company.unknown())));
        if let Some((maybe, unknown)) = maybe {
            let other = self.supposing(found, Supposition { is_same_company: false, ..expected }).await.0;
            if is_new(&cases, &other) {
                cases.push(Case { condition: Some(format!("{maybe} is not the {unknown}")), outcome: other });
                holds = format!("{maybe} is the {unknown}");
            }
        }
        if !noted.actions.is_empty() {
            let names = noted.actions.join(", ");
            let other = self.supposing(found, Supposition { is_action: false, ..expected }).await.0;
            if is_new(&cases, &other) {
                let and = if holds.is_empty() { "" } else { " and " };
                let condition = format!("{holds}{and}Business Central has no unbound action {names}");
                cases.push(Case { condition: Some(condition), outcome: other });
                holds = format!("{holds}{and}Business Central has the unbound action {names}");
            }
        }
        if noted.asks_for_subscription {
            let other = self.supposing(found, Supposition { is_subscribed_in: false, ..expected }).await.0;
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
        (cases, noted)
    }

    async fn supposing(&self, found: &Found<'_>, supposition: Supposition) -> (Outcome, Noted) {
        let supposed = Supposed::new(supposition);
        let outcome = match &found.asked {
            Err(rejection) => Err(rejection.clone()),
            Ok(resource) => self.sent(found, resource, &supposed).await,
        };
        let noted = supposed.noted();
        let outcome = match outcome {
            Ok(mut sent) => {
                sent.url = noted.readable(&sent.url);
                sent.body = sent.body.map(|body| noted.readable(&body));
                Outcome::Sent(Box::new(sent))
            }
            Err(rejection) => {
                let mut refused = refused(&rejection, self.dialect(found));
                refused.message = noted.readable(&refused.message);
                Outcome::Refused(refused)
            }
        };
        (outcome, noted)
    }

    /// The steps behind the route.
    async fn sent(&self, found: &Found<'_>, resource: &Resource, supposed: &Supposed) -> Result<Sent, Rejection> {
        let Found { settings, environment, .. } = found;
        let mut head = self.head.clone();
        let mut body = None;
        if let Some(given) = self.body {
            let inside = BodyContext {
                settings,
                environment,
                look_up: supposed,
                base_url: &self.exchange.base_url,
                request: resource,
            };
            let as_sent = RequestBody::buffered(given.clone(), None);
            let room = Arc::new(Semaphore::new(1));
            let Checked { body: judged, .. } = inspect(&inside, self.dialect(found), &mut head, as_sent, room).await?;
            body = judged.bytes().filter(|judged| *judged != given).map(|it| String::from_utf8_lossy(it).into_owned());
        } else {
            Subject::by_head(settings, resource, &head)?;
        }
        let methods: Vec<Method> = methods(&head.method, &head.headers).collect();
        let company = origin(&CompanyChoice::of(settings, resource), settings, resource);
        let Directed { resource, address, .. } =
            direct(settings, environment, supposed, resource.clone(), &methods).await?;
        let headers = headers::towards_business_central(head.headers, &head.method, settings, self.exchange.id);
        let cache = settings.cache.map(|time| match methods.iter().all(only_reads) {
            false => {
                "what may change something is sent each time, and what is kept of its company is forgotten".to_owned()
            }
            true => match forbidden(&head.method, &headers, resource.is_media(), self.body.is_some()) {
                Some(why) => format!("sent each time, because {}", why.reason()),
                None => format!(
                    "sent unless an identical request is under way, or was answered in the last {} s",
                    time.as_secs_f32()
                ),
            },
        });
        Ok(Sent {
            company,
            method: head.method.to_string(),
            url: address.to_string(),
            through: match ProxySelector::new(&settings.connector.outbound_proxy) {
                Ok(proxies) => proxies.describe(&settings.connector.base_url),
                Err(error) => Some(error.to_string()),
            },
            headers: self.changes(headers, settings),
            body,
            cache,
            answer: self.answer(settings, &resource),
        })
    }

    fn changes(&self, mut sent: HeaderMap, settings: &config::Route) -> Changes {
        sent.insert(HOST, upstream::host(settings.connector.base_url.authority()));
        // A connector's name may hold letters a header can't.
        let token = format!("Bearer {{token of connector {}}}", settings.connector.name);
        if let Ok(token) = HeaderValue::from_bytes(token.as_bytes()) {
            sent.insert(AUTHORIZATION, token);
        }
        let mut changes = Changes::between(&self.head.headers, &sent);
        let rules = &settings.headers.request.set;
        for header in changes.added.iter_mut().chain(&mut changes.changed) {
            header.by = match header.name.as_str() {
                name if rules.iter().any(|(set, _)| set == name) => Some("`headers` of the route"),
                "if-match" => Some("`if_match` of the route"),
                _ => None,
            };
            header.value =
                header.value.replace(&self.exchange.id.to_string(), "{id of the request, as in X-Request-Id}");
        }
        changes
    }

    fn answer(&self, settings: &config::Route, resource: &Resource) -> Answer {
        let bodies = DOCUMENTS.iter().filter_map(|content_type| {
            let document = document_of(resource, &self.head.method, content_type)?;
            Some(Body { content_type, changed: turned(document) })
        });
        let list = narrowed_list(resource, &self.head.method).filter(|_| !reach(settings).is_empty());
        let list = list.map(|list| match list {
            List::Companies => Body { content_type: "text/xml", changed: "the route's company is the only one left" },
            List::Subscriptions(_) => {
                Body { content_type: "application/json", changed: "subscriptions of other companies are left out" }
            }
        });
        let rules = &settings.headers.response;
        let removed = headers::KEPT_FROM_CLIENTS.iter().chain(&rules.remove);
        Answer {
            addresses_begin_with: self.exchange.base_url.clone(),
            headers: ADDRESS_HEADERS.iter().map(ToString::to_string).collect(),
            bodies: bodies.chain(list).collect(),
            removed: removed.map(ToString::to_string).collect(),
            set: rules.set.iter().map(|(name, value)| Header::new(name.as_str(), value.as_bytes())).collect(),
        }
    }

    fn notes(&self, found: &Found<'_>, noted: &Noted) -> Vec<String> {
        let companies = noted.companies.iter().map(|company| {
            format!(
                "The {} is looked up at Business Central, once. If there is no such company, the answer is 404 Proxy_UnknownCompany.{}",
                company.unknown(),
                match &company.wanted {
                    crate::business_central::CompanyRef::Name(_) =>
                        " The name is taken as it is configured: Business Central's own spelling is used.",
                    crate::business_central::CompanyRef::Id(_) => "",
                }
            )
        });
        let actions = noted.actions.iter().map(|name| {
            format!(
                "Whether {name} is an unbound action is looked up in Business Central's $metadata when it is posted to."
            )
        });
        let subscription = noted.asks_for_subscription.then(|| {
            "What the subscription is about is looked up first; if there is none, Business Central says so.".to_owned()
        });
        let body = found.asked.as_ref().ok().filter(|_| self.body.is_none()).and_then(|resource| {
            let subject = Subject::by_head(found.settings, resource, self.head).ok()??;
            let what = match subject {
                Subject::Batch => "Each request of the batch is judged like this one",
                Subject::Subscription { .. } => "What the body subscribes to is judged",
                Subject::Addresses => "Addresses in the body (@odata.bind, @odata.id) are judged and turned",
            };
            Some(format!("{what}; give the body with --body to see how."))
        });
        companies.chain(actions).chain(subscription).chain(body).collect()
    }
}

fn is_new(cases: &[Case], outcome: &Outcome) -> bool {
    cases.iter().all(|case| case.outcome != *outcome)
}

fn refused(rejection: &Rejection, dialect: Dialect) -> Refused {
    let (meant, code, _) = rejection.kind.describe();
    let status = rejection.kind.status(dialect);
    Refused { status: status.as_u16(), meant: meant.as_u16(), code, message: rejection.message.clone() }
}

/// Where the company comes from, in words.
fn origin(choice: &CompanyChoice<'_>, settings: &config::Route, resource: &Resource) -> String {
    let connector = &settings.connector.name;
    match choice {
        CompanyChoice::NotNeeded => "not needed".to_owned(),
        CompanyChoice::Clients => match resource.companies_named().next() {
            Some(named) => format!("{named}, named by the client"),
            None => "the client names it".to_owned(),
        },
        CompanyChoice::Routes(company) => format!("{company}, the route's"),
        CompanyChoice::Among { old, among } => match among.as_slice() {
            [company] => format!("{company}, the route's, which the client calls {old}"),
            _ => format!("{old}, one of those the route leads to"),
        },
        CompanyChoice::Several(among) => {
            let names: Vec<String> = among.iter().map(ToString::to_string).collect();
            format!("those the route leads to: {}", names.join(", "))
        }
        CompanyChoice::Translated { old, company } => {
            format!("{company}, which the client calls {old} (`companies` of connector {connector})")
        }
    }
}

/// How addresses in a document are turned.
fn turned(document: Document) -> &'static str {
    match document {
        Document::Json => "annotations that are links (@odata.context, @odata.nextLink, @odata.id, …)",
        Document::JsonBatch => "in each answer of the batch: its headers, and annotations that are links",
        Document::Wsdl => "addresses of services, imports and schemas (soap:address, contractRef, …)",
        Document::Atom => "ids, links and xml:base",
    }
}

/// One media type for each kind of document that may hold addresses.
const DOCUMENTS: [&str; 3] = ["application/json", "text/xml", "application/atom+xml"];
