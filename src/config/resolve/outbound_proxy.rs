//! The outbound proxy of a connector.

use std::path::Path;

use super::locations::secret_source;
use crate::config::shape::read::At;
use crate::config::vocabulary::outbound_proxy::OutboundProxyKey;
use crate::config::yaml::report::Report;
use crate::outbound::{OutboundProxy, ProxyLogin, ProxyServer};

/// Builds the settings of an outbound proxy. `None` if a key is missing or wrong.
pub fn outbound_proxy(
    wanted: Option<&At<OutboundProxyKey>>,
    folder: &Path,
    report: &mut Report,
) -> Option<OutboundProxy> {
    let server = match wanted.map(|wanted| &wanted.value) {
        None => return Some(OutboundProxy::FromEnvironment),
        Some(OutboundProxyKey::Off) => return Some(OutboundProxy::Off),
        Some(OutboundProxyKey::Server(server)) => server,
    };
    let login = match (&server.user, &server.password) {
        (Some(user), Some(password)) => {
            Some(ProxyLogin { user: user.value.0.clone(), password: secret_source(password.value.0.as_ref()?, folder) })
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
