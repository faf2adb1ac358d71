//! Warnings about keys that are valid but probably a mistake.

use hyper::Method;

use super::connectors::NamedConnector;
use crate::business_central::{PUBLIC_BASE_URL, Surface};
use crate::config::shape::At;
use crate::config::vocabulary::{RouteKeys, TopLevelKeys};
use crate::config::yaml::Report;
use crate::entra::Cloud;
use crate::outbound::HttpsUrl;

/// Warns of keys that change nothing, or less than they seem to.
pub fn unused(file: &TopLevelKeys, connectors: &[NamedConnector<'_>], report: &mut Report) {
    for route in file.routes.iter().flat_map(|routes| &routes.value) {
        unused_cache(&route.value, report);
    }
    unused_companies(file, connectors, report);
    national_clouds(file, report);
}

/// Warns of caches on routes that have little or nothing to cache.
fn unused_cache(route: &RouteKeys, report: &mut Report) {
    let Some(cache) = &route.cache else { return };
    let (surface, methods) = (route.to.as_ref().map(|to| &to.value), route.methods.as_ref());
    if surface == Some(&Surface::Soap) {
        report.warning(
            cache.label,
            "on a SOAP route, this caches only service descriptions (WSDL): SOAP requests use POST and are never cached",
            "remove `cache`, unless clients read the descriptions repeatedly",
        );
    } else if methods.is_some_and(|list| list.value.iter().all(|method| method.value != Method::GET)) {
        report.warning(
            cache.label,
            "this has no effect: only responses to GET are cached, and `methods` of this route lacks GET",
            "remove `cache`, or add GET to `methods`",
        );
    }
}

/// Warns of a company that no route of its connector uses.
fn unused_companies(file: &TopLevelKeys, connectors: &[NamedConnector<'_>], report: &mut Report) {
    let Some(routes) = &file.routes else { return };
    let uses = |route: &RouteKeys, connector: &NamedConnector<'_>| match &route.connector {
        Some(name) => name.value.0 == connector.name.value,
        None => connectors.len() == 1,
    };
    let is_unconfined = |route: &RouteKeys| route.to.as_ref().is_some_and(|to| to.value == Surface::Environment);
    for connector in connectors {
        let Some(company) = connector.company else { continue };
        let mut own = routes.value.iter().map(|route| &route.value).filter(|route| uses(route, connector)).peekable();
        if own.peek().is_some() && own.all(is_unconfined) {
            report.warning(
                company,
                "this company is not used: all routes of the connector lead to `environment`",
                "remove `company`, or choose another `to`: api/v2.0, odata, soap or nav",
            );
        }
    }
}

/// Warns if a national cloud is used with the public address of Business Central: the address in that cloud is unknown.
fn national_clouds(file: &TopLevelKeys, report: &mut Report) {
    let connectors = file.connectors.iter().flat_map(|connectors| &connectors.value.0);
    for connector in connectors.filter_map(|(_, connector)| connector.as_ref()) {
        let is_public_address = |url: &At<HttpsUrl>| url.value.as_str() == PUBLIC_BASE_URL;
        if let Some(cloud) = connector.cloud.as_ref().filter(|cloud| cloud.value != Cloud::Public)
            && connector.base_url.as_ref().is_some_and(is_public_address)
        {
            report.warning(
                cloud.span,
                "this selects only where tokens are issued: requests still go to Business Central in the public cloud",
                "set `base_url` and `scope` to the values of Business Central in this cloud",
            );
        }
    }
}
