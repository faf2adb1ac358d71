//! What Business Central gets, and what happens to its response.

use hyper::Method;
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderValue};

use super::assumptions::{AssumedLookUps, LookUps};
use super::report::{BodyChange, Header, HeaderChanges, ResponseChanges, SentRequest};
use super::walk::{Found, Walk};
use crate::business_central::address::Resource;
use crate::config;
use crate::guide::RejectionCode;
use crate::outbound::ProxySelector;
use crate::proxy::body::request_body::RequestBody;
use crate::proxy::cache::terms::bypass_reason;
use crate::proxy::methods::{methods, only_reads};
use crate::proxy::rejection::Rejection;
use crate::proxy::request::authorize::direct;
use crate::proxy::request::company_choice::{CompanyChoice, is_confined};
use crate::proxy::request::inspect::body_address::BodyContext;
use crate::proxy::request::inspect::step::{Subject, inspect};
use crate::proxy::request::read_only::ReadOnly;
use crate::proxy::response::body_plan::{List, document_of, list_to_filter};
use crate::proxy::response::links::ADDRESS_HEADERS;
use crate::proxy::rewrite::Document;
use crate::proxy::{headers, upstream};

impl Walk<'_> {
    /// The steps behind the route.
    pub(super) async fn sent(
        &self,
        found: &Found<'_>,
        resource: &Resource,
        assumed: &AssumedLookUps,
    ) -> Result<SentRequest, Rejection> {
        let Found { settings, environment, .. } = found;
        let mut head = self.head.clone();
        self.exchange.snapshot.api_key_headers.iter().for_each(|header| drop(head.headers.remove(header)));
        let mut body = None;
        if let Some(given) = self.body {
            let inside = BodyContext {
                settings,
                environment,
                read_only: ReadOnly::of(settings, found.client.as_deref()),
                look_up: assumed,
                base_url: &self.exchange.base_url,
                request: resource,
            };
            let as_sent = RequestBody::buffered(given.clone(), None);
            let memory = &self.exchange.memory;
            let (checked, _) = inspect(&inside, self.dialect(found), &mut head, as_sent, memory).await?;
            body =
                checked.bytes().filter(|checked| *checked != given).map(|it| String::from_utf8_lossy(it).into_owned());
        } else {
            Subject::by_head(settings, resource, &head, false)?;
        }
        let methods: Vec<Method> = methods(&head.method, &head.headers).collect();
        let company = origin(&CompanyChoice::of(settings, resource), settings, resource);
        let mut resource = resource.clone();
        let (_, address) = direct(settings, environment, assumed, &mut resource, &methods).await?;
        let id = &self.exchange.id_value;
        let headers = headers::towards_business_central(head.headers, &head.method, &methods, &resource, settings, id);
        let cache = settings.cache.map(|time| match methods.iter().all(only_reads) {
            false => "always sent, because it may change data; removes the company's entries from the cache".to_owned(),
            true => match bypass_reason(&head.method, &headers, resource.is_media(), self.body.is_some()) {
                Some(why) => format!("always sent, because {}", why.describe().1),
                None => format!(
                    "sent unless an identical request is under way, or was answered in the last {} s",
                    time.as_secs_f32()
                ),
            },
        });
        Ok(SentRequest {
            company,
            method: head.method.to_string(),
            url: format!("https://{}{address}", settings.connector.base_url.authority()),
            through: match ProxySelector::new(&settings.connector.outbound_proxy) {
                Ok(proxies) => proxies.describe(&settings.connector.base_url),
                Err(error) => Some(error.to_string()),
            },
            headers: self.changes(headers, settings),
            body,
            cache,
            response: self.response(settings, &resource),
        })
    }

    fn changes(&self, mut sent: HeaderMap, settings: &config::Route) -> HeaderChanges {
        sent.insert(HOST, upstream::host(settings.connector.base_url.authority()));
        // A connector's name may hold letters a header can't.
        let token = format!("Bearer {{token of connector {}}}", settings.connector.name);
        if let Ok(token) = HeaderValue::from_bytes(token.as_bytes()) {
            sent.insert(AUTHORIZATION, token);
        }
        let mut changes = HeaderChanges::between(&self.head.headers, &sent);
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

    fn response(&self, settings: &config::Route, resource: &Resource) -> ResponseChanges {
        let bodies = DOCUMENTS.iter().filter_map(|content_type| {
            let document = document_of(resource, &self.head.method, content_type.as_bytes())?;
            Some(BodyChange { content_type, changed: rewritten(document) })
        });
        let list = list_to_filter(resource, &self.head.method).filter(|_| is_confined(settings));
        let list = list.map(|list| match list {
            List::Companies => BodyChange { content_type: "text/xml", changed: "other companies are removed" },
            List::Subscriptions(_) => {
                BodyChange { content_type: "application/json", changed: "subscriptions of other companies are removed" }
            }
        });
        let rules = &settings.headers.response;
        let removed = headers::HIDDEN_FROM_CLIENTS.iter().chain(&rules.remove);
        ResponseChanges {
            addresses_begin_with: self.exchange.base_url.clone(),
            headers: ADDRESS_HEADERS.iter().map(ToString::to_string).collect(),
            bodies: bodies.chain(list).collect(),
            removed: removed.map(ToString::to_string).collect(),
            set: rules.set.iter().map(|(name, value)| Header::new(name.as_str(), value.as_bytes())).collect(),
        }
    }

    pub(super) fn notes(&self, found: &Found<'_>, look_ups: &LookUps) -> Vec<String> {
        let companies = look_ups.companies.iter().map(|company| {
            format!(
                "bcproxy looks up the {} in Business Central once. If there is no such company, the response is 404 {}.{}",
                company.unknown(),
                RejectionCode::UnknownCompany.as_str(),
                match &company.wanted {
                    crate::business_central::CompanyRef::Name(_) =>
                        " The name is shown as configured; requests use Business Central's spelling.",
                    crate::business_central::CompanyRef::Id(_) => "",
                }
            )
        });
        let actions = look_ups.actions.iter().map(|name| {
            format!("For a POST, bcproxy looks up in Business Central's $metadata whether {name} is an unbound action.")
        });
        let subscription = look_ups.subscription.then(|| {
            "bcproxy first looks up the subscription. If it does not exist, Business Central's own response says so.".to_owned()
        });
        let body = found.asked.as_ref().ok().filter(|_| self.body.is_none()).and_then(|resource| {
            let subject = Subject::by_head(found.settings, resource, self.head, false).ok()??;
            let what = match subject {
                Subject::Batch => "Each request of the batch is checked like this one",
                Subject::Subscription { .. } => {
                    "The resource that the body subscribes to is checked, and a local address in it is rewritten"
                }
                Subject::Addresses => "Addresses in the body (@odata.bind, @odata.id) are checked and rewritten",
            };
            Some(format!("{what}. Pass the body with --body to see the result."))
        });
        companies.chain(actions).chain(subscription).chain(body).collect()
    }
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
            _ => format!("{old}, one of the route's companies"),
        },
        CompanyChoice::Several(among) => {
            let names: Vec<String> = among.iter().map(ToString::to_string).collect();
            format!("those of the route: {}", names.join(", "))
        }
        CompanyChoice::Translated { old, company } => {
            format!("{company}, which the client calls {old} (`companies` of connector {connector})")
        }
    }
}

/// How addresses in a document are turned.
fn rewritten(document: Document) -> &'static str {
    match document {
        Document::Json => "annotations that are links (@odata.context, @odata.nextLink, @odata.id, …)",
        Document::JsonBatch => "in each response of the batch: its headers, and annotations that are links",
        Document::Wsdl => "addresses of services, imports and schemas (soap:address, contractRef, …)",
        Document::Atom => "ids, links and xml:base",
    }
}

/// One media type for each kind of document that may hold addresses.
const DOCUMENTS: [&str; 3] = ["application/json", "text/xml", "application/atom+xml"];
