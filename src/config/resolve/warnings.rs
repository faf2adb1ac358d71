//! What is allowed but of no use.

use hyper::Method;

use super::connectors::NamedConnector;
use crate::business_central::{PUBLIC_BASE_URL, Surface};
use crate::config::shape::read::At;
use crate::config::vocabulary::route::RouteKeys;
use crate::config::vocabulary::top_level::TopLevelKeys;
use crate::config::yaml::report::Report;
use crate::entra::Cloud;
use crate::outbound::HttpsUrl;

/// Warns of keys that change nothing, or less than they seem to.
pub fn unused(file: &TopLevelKeys, connectors: &[NamedConnector<'_>], report: &mut Report) {
    for route in file.routes.iter().flat_map(|routes| &routes.value) {
        if report.is_full() {
            break;
        }
        unused_cache(&route.value, report);
    }
    unused_companies(file, connectors, report);
    national_clouds(file, report);
}

/// Says where a cache is of no use.
fn unused_cache(route: &RouteKeys, report: &mut Report) {
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

fn unused_companies(file: &TopLevelKeys, connectors: &[NamedConnector<'_>], report: &mut Report) {
    let Some(routes) = &file.routes else { return };
    let uses = |route: &RouteKeys, connector: &NamedConnector<'_>| match &route.connector {
        Some(name) => name.value.0 == connector.name.value,
        None => connectors.len() == 1,
    };
    let is_unconfined = |route: &RouteKeys| route.to.as_ref().is_some_and(|to| to.value == Surface::Environment);
    for connector in connectors.iter().filter(|connector| connector.company.is_some()) {
        if report.is_full() {
            return;
        }
        let mut own = routes.value.iter().map(|route| &route.value).filter(|route| uses(route, connector)).peekable();
        if own.peek().is_some()
            && own.all(is_unconfined)
            && let Some(company) = connector.company
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
fn national_clouds(file: &TopLevelKeys, report: &mut Report) {
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
