//! The outbound proxy of a connector.

use crate::config::shape::collections::OrOff;
use crate::config::shape::read::At;
use crate::config::vocabulary::outbound_proxy::OutboundServerKeys;
use crate::config::yaml::report::Report;
use crate::outbound::{OutboundProxy, ProxyLogin, ProxyServer};

/// Builds the settings of an outbound proxy. `None` if a key is missing or wrong.
pub fn outbound_proxy(wanted: Option<&At<OrOff<OutboundServerKeys>>>, report: &mut Report) -> Option<OutboundProxy> {
    let server = match wanted.map(|wanted| &wanted.value) {
        None => return Some(OutboundProxy::FromEnvironment),
        Some(OrOff::Off) => return Some(OutboundProxy::Off),
        Some(OrOff::On(server)) => server,
    };
    let login = match (&server.user, &server.password) {
        (Some(user), Some(password)) => {
            Some(ProxyLogin { user: user.value.0.clone(), password: password.value.0.as_ref()?.value.clone() })
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
