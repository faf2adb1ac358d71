//! From the words of the file to the typed configuration: names are resolved, defaults handed down, parts compared with each other.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use hyper::Method;
use ipnet::IpNet;

use super::applications::applications;
use super::header_rules::{HeaderChanges, HeaderRules};
use super::limits::Limits;
use super::listeners;
use super::mask::looks_like_a_secret;
use super::model::{Access, AllowFrom, Config, Connector, Log, MaxConnections, Route, RoutePath, Timeouts};
use super::outbound::outbound_proxy;
use super::report::{Report, near_miss};
use super::shape::{At, OrOff};
use super::source::Span;
use super::vocabulary as file;
use crate::business_central::{CompanyRef, PUBLIC_BASE_URL, Surface};
use crate::entra::Cloud;
use crate::https_url::HttpsUrl;

/// What a single connector gets without `routes`.
const DEFAULT_ROUTES: [(&str, &str); 5] =
    [("/api", "api/v2.0"), ("/odata", "odata"), ("/soap", "soap"), ("/nav", "nav"), ("/", "nav")];

/// A connector of the file; `value` is `None` when it could not be read.
struct Known<'f> {
    name: &'f At<String>,
    company: Option<Span>,
    value: Option<Arc<Connector>>,
}

impl Known<'_> {
    /// The name, unless it looks like something that was pasted into the wrong line.
    fn showable_name(&self) -> Option<&str> {
        Some(self.name.value.as_str()).filter(|name| !looks_like_a_secret(name))
    }
}

/// Gives the file its meaning. Whatever could be read is checked; `None` when something is missing or wrong.
pub fn config(file: &file::File, folder: &Path, report: &mut Report) -> Option<Config> {
    let connectors = known_connectors(file, folder, report);
    let listen = listeners::read(file, folder, report);
    let admin = listeners::admin(file, report);
    let default_access = file.access.as_ref().and_then(|access| access.value.allow_from.as_ref());
    let routes = match &file.routes {
        Some(routes) => read_routes(&routes.value, &connectors, default_access, report),
        None => default_routes(file, &connectors, default_access, report),
    };
    listeners::check_access(file, default_access.is_some(), report);
    warn_of_useless_companies(file, &connectors, report);
    warn_of_unknown_clouds(file, report);

    let access = &file.access.as_ref()?.value;
    let log = &file.log.as_ref()?.value;
    let connections = &file.max_connections.as_ref()?.value;
    let config = Config {
        listen,
        public_url: file.public_url.as_ref().map(|url| url.value.clone()),
        admin: admin?,
        connectors: connectors.into_iter().filter_map(|connector| connector.value).collect(),
        routes,
        access: Access {
            browsers: access.browsers.as_ref()?.value,
            hosts: access.hosts.iter().flat_map(|hosts| &hosts.value).map(|host| host.value.clone()).collect(),
        },
        log: Log {
            format: log.format.as_ref()?.value,
            level: log.level.as_ref()?.value,
            requests: log.requests.as_ref()?.value,
        },
        max_connections: MaxConnections {
            total: connections.total.as_ref()?.value.0,
            per_client: connections.per_client.as_ref()?.value.0,
        },
        keep_alive: file.keep_alive.as_ref()?.value,
        shutdown_grace: file.shutdown.as_ref()?.value.grace.as_ref()?.value,
    };
    (!report.has_errors()).then_some(config)
}

fn known_connectors<'f>(file: &'f file::File, folder: &Path, report: &mut Report) -> Vec<Known<'f>> {
    let entries = file.connectors.as_ref().map_or(&[][..], |connectors| &connectors.value.0);
    let mut known = Vec::with_capacity(entries.len());
    for (name, connector) in entries {
        let company = connector.as_ref().and_then(|connector| Some(connector.company.as_ref()?.label));
        let value = connector.as_ref().and_then(|connector| build_connector(&name.value, connector, folder, report));
        known.push(Known { name, company, value: value.map(Arc::new) });
    }
    known
}

/// An old name and the company it means; `None` when that could not be read.
fn company_name((old, new): &(At<String>, Option<CompanyRef>)) -> Option<(String, CompanyRef)> {
    Some((old.value.clone(), new.clone()?))
}

fn build_connector(name: &str, connector: &file::Connector, folder: &Path, report: &mut Report) -> Option<Connector> {
    let (application, other_applications) = applications(connector, folder, report)?;
    let outbound_proxy = outbound_proxy(connector.outbound_proxy.as_ref(), folder, report)?;
    let timeouts = &connector.timeouts.as_ref()?.value;
    Some(Connector {
        name: name.to_owned(),
        application,
        other_applications,
        environment: connector.environment.as_ref()?.value.clone(),
        company: connector.company.as_ref().map(|company| company.value.clone()),
        companies: connector.companies.iter().flat_map(|named| &named.value.0).filter_map(company_name).collect(),
        base_url: connector.base_url.as_ref()?.value.clone(),
        limits: limits(&connector.limits.as_ref()?.value)?,
        timeouts: Timeouts {
            connect: timeouts.connect.as_ref()?.value,
            head: timeouts.head.as_ref()?.value,
            body_idle: timeouts.body_idle.as_ref()?.value,
            pool_idle: timeouts.pool_idle.as_ref()?.value,
            token: timeouts.token.as_ref()?.value,
        },
        ca_file: connector.ca_file.as_ref().map(|path| folder.join(&path.value)),
        outbound_proxy,
    })
}

/// `None`: they are wrong. `Some(None)`: they are turned off.
fn limits(limits: &OrOff<file::Limits>) -> Option<Option<Limits>> {
    let OrOff::On(limits) = limits else { return Some(None) };
    Some(Some(Limits {
        concurrency: limits.concurrency.as_ref()?.value.0,
        requests: limits.requests.as_ref()?.value,
        queue: limits.queue.as_ref()?.value.0,
        wait: limits.wait.as_ref()?.value,
    }))
}

fn read_routes(
    routes: &[At<file::Route>],
    connectors: &[Known<'_>],
    default_access: Option<&At<Vec<At<IpNet>>>>,
    report: &mut Report,
) -> Vec<Route> {
    let mut paths: HashMap<&RoutePath, Span> = HashMap::new();
    let mut built = Vec::with_capacity(routes.len());
    for At { value: route, span, .. } in routes {
        if report.is_full() {
            break;
        }
        if let Some(path) = &route.path
            && let Some(first) = paths.insert(&path.value, path.span)
        {
            let line = report.line(first);
            report.error(
                path.span,
                format!("a route with this path is already there, in line {line}"),
                "give one of the two another path (a slash at the end makes no difference)",
            );
        }
        if let (Some(to), Some(company)) = (&route.to, &route.company)
            && to.value == Surface::Environment
        {
            report.error(
                company.label,
                "a route to `environment` is not confined to a company",
                "remove `company`, or choose another `to`: api/v2.0, odata, soap or nav",
            );
        }
        warn_of_useless_cache(route, report);
        let connector = connector_of(route, *span, connectors, report);
        built.extend(connector.and_then(|connector| build_route(route, connector, default_access)));
    }
    built
}

/// Says where a cache is of no use.
fn warn_of_useless_cache(route: &file::Route, report: &mut Report) {
    let Some(cache) = &route.cache else { return };
    let (surface, methods) = (route.to.as_ref().map(|to| &to.value), route.methods.as_ref());
    if surface == Some(&Surface::Soap) {
        report.warning(
            cache.label,
            "this keeps descriptions of services (WSDL) only: SOAP calls are sent with POST, and each of them goes to Business Central",
            "remove it, unless programs read the descriptions time and again",
        );
    } else if methods.is_some_and(|list| list.value.iter().all(|method| method.value != Method::GET)) {
        report.warning(
            cache.label,
            "this is of no use: only answers to GET are kept, and `methods` of this route does not have it",
            "remove it, or add GET to `methods`",
        );
    }
}

fn connector_of<'k>(
    route: &file::Route,
    span: Span,
    connectors: &'k [Known<'_>],
    report: &mut Report,
) -> Option<&'k Arc<Connector>> {
    let names = || connectors.iter().filter_map(Known::showable_name);
    let some_names = || names().take(5).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let Some(wanted) = &route.connector else {
        if let [only] = connectors {
            return only.value.as_ref();
        }
        if connectors.len() > 1 {
            let help = format!("there are several: add `connector:` with one of {}", some_names());
            report.error(
                route.path.as_ref().map_or(span, |path| path.label),
                "this route does not say its connector",
                help,
            );
        }
        return None;
    };
    let found = connectors.iter().find(|known| known.name.value == wanted.value.0);
    if found.is_none() && !connectors.is_empty() {
        let help = match near_miss(&wanted.value.0, names()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("the connectors of this file are named below `connectors`: {}", some_names()),
        };
        report.error(wanted.span, "there is no connector of this name", help);
    }
    found.and_then(|known| known.value.as_ref())
}

fn build_route(
    route: &file::Route,
    connector: &Arc<Connector>,
    default_access: Option<&At<Vec<At<IpNet>>>>,
) -> Option<Route> {
    let surface = route.to.as_ref()?.value.clone();
    let own_company = route.company.as_ref().map(|company| company.value.clone());
    let company = own_company.or_else(|| connector.company.clone()).filter(|_| surface != Surface::Environment);
    let timeouts = &route.timeouts.as_ref()?.value;
    Some(Route {
        path: route.path.as_ref()?.value.clone(),
        surface,
        environment: route.environment.as_ref().map_or(&connector.environment, |name| &name.value).clone(),
        company,
        methods: route.methods.as_ref().map(|list| list.value.iter().map(|method| method.value.clone()).collect()),
        allow_from: allow_from(route.allow_from.as_ref().or(default_access)),
        changes_any_version: route.if_match.is_some(),
        headers: route.headers.as_ref().map_or_else(HeaderRules::default, |headers| header_rules(&headers.value)),
        cache: route.cache.as_ref().map(|cache| cache.value),
        timeouts: Timeouts {
            head: timeouts.head.as_ref().map_or(connector.timeouts.head, |head| head.value),
            body_idle: timeouts.body_idle.as_ref().map_or(connector.timeouts.body_idle, |idle| idle.value),
            ..connector.timeouts
        },
        connector: Arc::clone(connector),
    })
}

fn header_rules(headers: &file::RouteHeaders) -> HeaderRules {
    let changes = |changes: &Option<At<file::HeaderChanges>>| {
        let Some(At { value: changes, .. }) = changes else { return HeaderChanges::default() };
        let remove = changes.remove.iter().flat_map(|list| &list.value);
        HeaderChanges {
            set: changes.set.as_ref().map_or(Vec::new(), |set| set.value.0.clone()),
            remove: remove.map(|name| name.value.0.clone()).collect(),
        }
    };
    HeaderRules { request: changes(&headers.request), response: changes(&headers.response) }
}

fn allow_from(networks: Option<&At<Vec<At<IpNet>>>>) -> AllowFrom {
    let networks = networks.map_or(Vec::new(), |list| list.value.iter().map(|network| network.value).collect());
    AllowFrom::new(networks).unwrap_or_else(AllowFrom::loopback)
}

fn default_routes(
    file: &file::File,
    connectors: &[Known<'_>],
    default_access: Option<&At<Vec<At<IpNet>>>>,
    report: &mut Report,
) -> Vec<Route> {
    let [only] = connectors else {
        if let (Some(first), Some(place)) = (connectors.first(), &file.connectors) {
            report.error(
                place.label,
                "with several connectors, `routes` must say which path leads to which",
                format!(
                    "add for each: routes: [ {{ path: /{0}, connector: {0}, to: nav }}, … ], or one below the other with `- `",
                    first.showable_name().unwrap_or("NAME")
                ),
            );
        }
        return Vec::new();
    };
    let Some(connector) = &only.value else { return Vec::new() };
    let route = |(path, to): (&str, &str)| {
        let surface: Surface = to.parse().ok()?;
        Some(Route {
            path: path.parse().ok()?,
            connector: Arc::clone(connector),
            surface,
            environment: connector.environment.clone(),
            company: connector.company.clone(),
            methods: None,
            allow_from: allow_from(default_access),
            changes_any_version: false,
            headers: HeaderRules::default(),
            cache: None,
            timeouts: connector.timeouts,
        })
    };
    DEFAULT_ROUTES.into_iter().filter_map(route).collect()
}

fn warn_of_useless_companies(file: &file::File, connectors: &[Known<'_>], report: &mut Report) {
    let Some(routes) = &file.routes else { return };
    let uses = |route: &file::Route, known: &Known<'_>| match &route.connector {
        Some(name) => name.value.0 == known.name.value,
        None => connectors.len() == 1,
    };
    let is_unconfined = |route: &file::Route| route.to.as_ref().is_some_and(|to| to.value == Surface::Environment);
    for known in connectors.iter().filter(|known| known.company.is_some()) {
        if report.is_full() {
            return;
        }
        let mut own = routes.value.iter().map(|route| &route.value).filter(|route| uses(route, known)).peekable();
        if own.peek().is_some()
            && own.all(is_unconfined)
            && let Some(company) = known.company
        {
            report.warning(
                company,
                "this company is not used: all routes of the connector lead to `environment`, which is not confined to one",
                "remove it, or choose another `to`: api/v2.0, odata, soap or nav",
            );
        }
    }
}

/// Where Business Central is in the national clouds is not known to us.
fn warn_of_unknown_clouds(file: &file::File, report: &mut Report) {
    let connectors = file.connectors.iter().flat_map(|connectors| &connectors.value.0);
    for connector in connectors.filter_map(|(_, connector)| connector.as_ref()) {
        let is_public_address = |url: &At<HttpsUrl>| url.value.as_str() == PUBLIC_BASE_URL;
        if let Some(cloud) = connector.cloud.as_ref().filter(|cloud| cloud.value != Cloud::Public)
            && connector.base_url.as_ref().is_some_and(is_public_address)
        {
            report.warning(
                cloud.span,
                "this sets only where tokens are issued: Business Central is still asked in the public cloud",
                "set `base_url` and `scope` to what your Business Central in this cloud has",
            );
        }
    }
}
