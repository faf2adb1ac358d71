//! The connectors, their limits and outbound proxies.

use std::sync::Arc;

use super::applications::{applications, credential_keys};
use super::client_auth::dedicated_applications;
use crate::business_central::CompanyRef;
use crate::config::model::{Connector, Limits, Timeouts};
use crate::config::shape::{At, OrOff};
use crate::config::vocabulary::{ConnectorKeys, LimitsKeys, OutboundServerKeys, TopLevelKeys};
use crate::config::yaml::{Report, Span, mask};
use crate::entra::ClientId;
use crate::outbound::{OutboundProxy, ProxyLogin, ProxyServer};
use crate::secret::SecretSource;

/// A connector of the file.
pub struct NamedConnector<'f> {
    pub name: &'f At<String>,
    /// The position of `company`, if set.
    pub company: Option<Span>,
    /// `None` if the connector could not be read.
    pub value: Option<Arc<Connector>>,
}

impl NamedConnector<'_> {
    /// The name, unless it looks like a secret pasted into the wrong line.
    pub fn showable_name(&self) -> Option<&str> {
        Some(self.name.value.as_str()).filter(|name| !mask::looks_like_a_secret(name))
    }
}

/// Builds the connectors of a file.
pub fn read<'f>(file: &'f TopLevelKeys, report: &mut Report) -> Vec<NamedConnector<'f>> {
    let entries = file.connectors.as_ref().map_or(&[][..], |connectors| &connectors.value.0);
    let hidden = secret_variables(file);
    let dedicated = dedicated_applications(file);
    let mut connectors = Vec::with_capacity(entries.len());
    for (name, connector) in entries {
        let company = connector.as_ref().and_then(|connector| Some(connector.company.as_ref()?.label));
        let value = connector
            .as_ref()
            .and_then(|connector| build_connector(&name.value, connector, &hidden, &dedicated, report));
        connectors.push(NamedConnector { name, company, value: value.map(Arc::new) });
    }
    connectors
}

/// An old name and the company it stands for. `None` if the company could not be read.
fn company_name((old, new): &(At<String>, Option<CompanyRef>)) -> Option<(String, CompanyRef)> {
    Some((old.value.clone(), new.clone()?))
}

/// The environment variables that hold secrets of any connector, of the collector, of the shared store, or of the admin
/// listener.
pub fn secret_variables(file: &TopLevelKeys) -> Vec<String> {
    secret_sources(file).filter_map(SecretSource::variable).map(str::to_owned).collect()
}

/// Where the secrets of connectors, of the collector, of the shared store and of the admin listener are stored.
pub fn secret_sources(file: &TopLevelKeys) -> impl Iterator<Item = &SecretSource> {
    let connectors = file.connectors.iter().flat_map(|connectors| &connectors.value.0);
    let of_connectors = connectors.filter_map(|(_, connector)| connector.as_ref()).flat_map(|connector| {
        let secrets = credential_keys(connector).filter_map(|keys| keys.client_secret).flat_map(|list| &list.value.0);
        let password = password(connector.outbound_proxy.as_ref()).map(|source| &source.value);
        secrets.map(|secret| &secret.value.source.value).chain(password)
    });
    let of_collector = file.otlp().into_iter().flat_map(|otlp| {
        let headers = otlp.headers.iter().flat_map(|headers| &headers.value.0).map(|(_, source)| source);
        headers.chain(password(otlp.outbound_proxy.as_ref())).map(|source| &source.value)
    });
    let of_shared_store = file.shared_limits.as_ref().and_then(|keys| Some(&keys.value.password_source()?.value));
    let of_admin = file.admin_keys().and_then(|keys| Some(&keys.token_source()?.value));
    of_connectors.chain(of_collector).chain(of_shared_store).chain(of_admin)
}

/// Where the password of an outbound proxy is stored.
pub fn password(outbound_proxy: Option<&At<OrOff<OutboundServerKeys>>>) -> Option<&At<SecretSource>> {
    match &outbound_proxy?.value {
        OrOff::On(server) => server.password.as_ref()?.value.0.as_ref(),
        OrOff::Off => None,
    }
}

fn build_connector(
    name: &str,
    connector: &ConnectorKeys,
    hidden: &[String],
    dedicated: &[ClientId],
    report: &mut Report,
) -> Option<Connector> {
    let (application, other_applications) = applications(connector, hidden, report)?;
    let outbound_proxy = outbound_proxy(connector.outbound_proxy.as_ref(), hidden, report)?;
    let timeouts = &connector.timeouts.as_ref()?.value;
    let own = std::iter::once(&application).chain(&other_applications).map(|application| application.client_id);
    Some(Connector {
        dedicated: own.filter(|client_id| dedicated.contains(client_id)).collect(),
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
        ca_file: connector.ca_file.as_ref().map(|path| path.value.clone()),
        outbound_proxy,
    })
}

/// `None`: the limits are invalid. `Some(None)`: they are off.
fn limits(limits: &OrOff<LimitsKeys>) -> Option<Option<Limits>> {
    let OrOff::On(limits) = limits else { return Some(None) };
    Some(Some(Limits {
        concurrency: limits.concurrency.as_ref()?.value.0,
        requests: limits.requests.as_ref()?.value,
        queue: limits.queue.as_ref()?.value.0,
        wait: limits.wait.as_ref()?.value,
    }))
}

/// Builds the settings of an outbound proxy. `None` if a key is missing or wrong.
pub fn outbound_proxy(
    wanted: Option<&At<OrOff<OutboundServerKeys>>>,
    hidden: &[String],
    report: &mut Report,
) -> Option<OutboundProxy> {
    let server = match wanted.map(|wanted| &wanted.value) {
        None => return Some(OutboundProxy::FromEnvironment),
        Some(OrOff::Off) => return Some(OutboundProxy::Off),
        Some(OrOff::On(server)) => server,
    };
    let login = match (&server.user, &server.password) {
        (Some(user), Some(password)) => {
            let password = password.value.0.as_ref()?.value.clone().hiding(hidden);
            Some(ProxyLogin { user: user.value.0.clone(), password })
        }
        (None, None) => None,
        (Some(At { label, .. }), None) => {
            report.error(
                *label,
                "this outbound proxy has a user name without a password",
                "add `password: { env: PROXY_PASSWORD }`",
            );
            return None;
        }
        (None, Some(At { label, .. })) => {
            report.error(*label, "this outbound proxy has a password without a user name", "add `user`");
            return None;
        }
    };
    let except = server.except.iter().flat_map(|list| &list.value).map(|item| item.value.0.clone()).collect();
    Some(OutboundProxy::Server(ProxyServer { address: server.url.as_ref()?.value.clone(), login, except }))
}
