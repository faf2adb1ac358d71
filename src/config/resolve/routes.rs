//! The routes, whether written or default.

use std::collections::HashMap;
use std::sync::Arc;

use ipnet::IpNet;

use super::client_auth::{client_auth, has_authority};
use super::connectors::NamedConnector;
use crate::business_central::Surface;
use crate::config::model::{AllowFrom, ClientAuth, Connector, HeaderChanges, HeaderRules, Route, RoutePath, Timeouts};
use crate::config::shape::{At, default};
use crate::config::vocabulary::{HeaderChangesKeys, HeaderRulesKeys, RouteKeys, TopLevelKeys};
use crate::config::yaml::{Report, Span, closest_match};

/// The routes of a single connector without `routes`.
const DEFAULT_ROUTES: &str = "[{ path: /api, to: api/v2.0 }, { path: /odata, to: odata }, { path: /soap, to: soap }, \
                               { path: /nav, to: nav }, { path: /, to: nav }]";

/// Builds the routes of a file, or the default routes of its only connector.
pub fn read(file: &TopLevelKeys, connectors: &[NamedConnector<'_>], report: &mut Report) -> Vec<Route> {
    let default_access = allow_from(file.access.as_ref().and_then(|access| access.value.allow_from.as_ref()));
    match (&file.routes, connectors, &file.connectors) {
        (Some(routes), ..) => build(file, &routes.value, connectors, &default_access, report),
        (None, [_], Some(location)) => {
            let routes: Option<At<Vec<_>>> = default(DEFAULT_ROUTES, location.label);
            build(file, &routes.map_or(Vec::new(), |routes| routes.value), connectors, &default_access, report)
        }
        (None, [first, _, ..], Some(location)) => {
            report.error(
                location.label,
                "with several connectors, `routes` is required",
                format!(
                    "add a route for each connector: routes: [ {{ path: /{0}, connector: {0}, to: nav }}, … ]",
                    first.showable_name().unwrap_or("NAME")
                ),
            );
            Vec::new()
        }
        (None, ..) => Vec::new(),
    }
}

fn build(
    file: &TopLevelKeys,
    routes: &[At<RouteKeys>],
    connectors: &[NamedConnector<'_>],
    default_access: &AllowFrom,
    report: &mut Report,
) -> Vec<Route> {
    let mut paths: HashMap<&RoutePath, Span> = HashMap::new();
    let (mut built, has_authority) = (Vec::with_capacity(routes.len()), has_authority(file));
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
                format!("a route in line {line} already has this path"),
                "give one of the two another path; a trailing slash makes no difference",
            );
        }
        if let (Some(to), Some(company)) = (&route.to, &route.company)
            && to.value == Surface::Environment
        {
            report.error(
                company.label,
                "a route to `environment` can't have a company: it is not confined to one",
                "remove `company`, or choose another `to`: api/v2.0, odata, soap or nav",
            );
        }
        if let (Some(to), Some(automation)) = (&route.to, &route.automation)
            && automation.value
            && to.value != Surface::Nav
        {
            report.error(
                automation.label,
                "only a route to `nav` can have `automation: true`",
                "remove `automation`; for the automation API alone, write to: api/microsoft/automation/v2.0",
            );
        }
        let connector = connector_of(route, *span, connectors, report);
        let client_auth = client_auth(file, route.client_auth.as_ref(), has_authority, report);
        built.extend(connector.and_then(|connector| build_route(route, connector, default_access, client_auth)));
    }
    built
}

fn connector_of<'k>(
    route: &RouteKeys,
    span: Span,
    connectors: &'k [NamedConnector<'_>],
    report: &mut Report,
) -> Option<&'k Arc<Connector>> {
    let names = || connectors.iter().filter_map(NamedConnector::showable_name);
    let some_names = || names().take(5).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let Some(wanted) = &route.connector else {
        if let [only] = connectors {
            return only.value.as_ref();
        }
        if connectors.len() > 1 {
            let help = format!("add `connector:` with one of {}", some_names());
            report.error(
                route.path.as_ref().map_or(span, |path| path.label),
                "this route names no connector, and the file has several",
                help,
            );
        }
        return None;
    };
    let found = connectors.iter().find(|known| known.name.value == wanted.value.0);
    if found.is_none() && !connectors.is_empty() {
        let help = match closest_match(&wanted.value.0, names()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("use a name below `connectors`: {}", some_names()),
        };
        report.error(wanted.span, "no connector has this name", help);
    }
    found.and_then(|known| known.value.as_ref())
}

fn build_route(
    route: &RouteKeys,
    connector: &Arc<Connector>,
    default_access: &AllowFrom,
    client_auth: Option<ClientAuth>,
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
        automation: route.automation.as_ref().is_some_and(|automation| automation.value),
        read_only: route.read_only.as_ref().is_some_and(|read_only| read_only.value),
        methods: route.methods.as_ref().map(|list| list.value.iter().map(|method| method.value.clone()).collect()),
        allow_from: route.allow_from.as_ref().map_or_else(|| default_access.clone(), |own| allow_from(Some(own))),
        client_auth,
        if_match_any: route.if_match.is_some(),
        headers: route.headers.as_ref().map(|headers| header_rules(&headers.value)).unwrap_or_default(),
        weight: route.weight.as_ref()?.value,
        cache: route.cache.as_ref().map(|cache| cache.value),
        timeouts: Timeouts {
            head: timeouts.head.as_ref().map_or(connector.timeouts.head, |head| head.value),
            body_idle: timeouts.body_idle.as_ref().map_or(connector.timeouts.body_idle, |idle| idle.value),
            ..connector.timeouts
        },
        connector: Arc::clone(connector),
    })
}

fn header_rules(headers: &HeaderRulesKeys) -> HeaderRules {
    let changes = |changes: &Option<At<HeaderChangesKeys>>| {
        let Some(At { value: changes, .. }) = changes else { return HeaderChanges::default() };
        let remove = changes.remove.iter().flat_map(|list| &list.value);
        HeaderChanges {
            set: changes.set.as_ref().map_or(Vec::new(), |set| set.value.0.clone()),
            remove: remove.map(|name| name.value.0.clone()).collect(),
        }
    };
    HeaderRules { request: changes(&headers.request), response: changes(&headers.response) }
}

fn allow_from(list: Option<&At<Vec<At<IpNet>>>>) -> AllowFrom {
    networks(list).unwrap_or_else(AllowFrom::loopback)
}

/// The networks of a list, if it has any.
pub fn networks(list: Option<&At<Vec<At<IpNet>>>>) -> Option<AllowFrom> {
    AllowFrom::new(list?.value.iter().map(|network| network.value).collect())
}
