//! All checks of a connector, in order.

use std::time::Duration;

use super::business_central;
use super::entra::{tenant, token};
use super::findings::{Findings, Wrong};
use super::network::network;
use crate::config::{Connector, Route};
use crate::entra::Application;
use crate::guide::Step;
use crate::outbound::{HttpClient, OutboundError, ProxySelector};

/// Checks the set-up of one connector, and those of `routes` that are its own, as far as possible.
///
/// A wrong clock and a failing route stop no other check. Any other mistake ends the checks, or those of one
/// application of several.
pub async fn examine(connector: &Connector, routes: &[Route], findings: &mut Findings<'_>) {
    let Application { authority, tenant_id, .. } = &connector.application;
    let (ca_file, connect) = (connector.ca_file.as_deref(), connector.timeouts.connect);
    let proxies = match ProxySelector::new(&connector.outbound_proxy) {
        Ok(proxies) => proxies,
        Err(error) => return findings.failed(unusable(&error.into()), Duration::ZERO),
    };
    if !network(authority, &connector.base_url, ca_file, &proxies, connect, findings).await {
        return;
    }
    let http = match HttpClient::new(ca_file, &connector.outbound_proxy, connect) {
        Ok(http) => http,
        Err(error) => return findings.failed(unusable(&error), Duration::ZERO),
    };
    findings.checking(Step::Tenant);
    if !tenant(&http, authority, tenant_id, findings).await {
        return;
    }
    for application in connector.applications() {
        if !connector.other_applications.is_empty() {
            findings.common_subject = Some(format!("application {}", application.client_id));
        }
        findings.checking(Step::Application);
        if let Some(signed_in) = token(&http, application, connector.timeouts.token, findings).await
            && signed_in.has_role
        {
            business_central::examine(connector, routes, &signed_in, findings).await;
        }
    }
    findings.common_subject = None;
}

/// The mistake behind an HTTP client that can't be created.
pub fn unusable(error: &OutboundError) -> Wrong {
    match error {
        OutboundError::Tls(error) => Wrong::at(Step::Tls, error.to_string()),
        OutboundError::Environment(_) | OutboundError::Client(_) => Wrong::at(Step::Connection, error.to_string()),
    }
}
